"""The tab Points: points of a face placed by hand, where none is found or the landmarks are off."""

from __future__ import annotations

from followyouremoji.studio.widget import widget

POINTS = """
<section class="fye-points fye-card">
  <div class="fye-choice"></div>
  <div class="fye-invite">
    <svg class="fye-face" viewBox="0 0 1000 1000" aria-hidden="true"></svg>
    <div>
      <h2>Is a face not found, or are its landmarks off?</h2>
      <p>Choose a portrait above: a llama, a profile, a doodle. Then click where its eyes, nose and mouth are; a few
      points are enough, and the rest of the face follows while you place them.</p>
    </div>
  </div>
  <div class="fye-placing" hidden>
    <div class="fye-ask">
      <svg class="fye-reference" viewBox="0 0 1000 1000" role="img" aria-label="Where the chosen point goes"></svg>
      <div>
        <p class="fye-next" role="status"></p>
        <div class="fye-warning"></div>
      </div>
    </div>
    <div class="fye-work">
      <div class="fye-tools" role="toolbar" aria-label="Points and picture">
        <button type="button" class="fye-button" data-do="undo" title="Undo (Ctrl+Z)">Undo</button>
        <button type="button" class="fye-button" data-do="redo" title="Redo (Ctrl+Shift+Z)">Redo</button>
        <button type="button" class="fye-button" data-do="smaller" aria-label="Zoom out" title="Zoom out">−</button>
        <button type="button" class="fye-button" data-do="whole" title="Show the whole picture">Whole</button>
        <button type="button" class="fye-button" data-do="larger" aria-label="Zoom in" title="Zoom in">+</button>
        <label><input type="checkbox" data-do="wires" checked> Wire frame</label>
      </div>
      <div class="fye-canvas" role="group" aria-label="The picture with its points">
        <canvas aria-hidden="true"></canvas>
        <div class="fye-handles"></div>
        <div class="fye-tip" aria-hidden="true" hidden></div>
      </div>
      <p class="fye-hint">Drag points, or focus one and use the arrow keys (Shift: ten pixels); Delete takes it away. Drag
      the picture to move it, turn the wheel or pinch to zoom. Right and left are the face's own.</p>
    </div>
    <div class="fye-side">
      <fieldset class="fye-looks">
        <legend>The face looks</legend>
        <label><input type="radio" name="fye-view" value="left"> left</label>
        <label><input type="radio" name="fye-view" value="front" checked> at you</label>
        <label><input type="radio" name="fye-view" value="right"> right</label>
      </fieldset>
      <div class="fye-buttons">
        <button type="button" class="fye-button fye-primary" data-do="keep">Keep these points</button>
        <button type="button" class="fye-button" data-do="animate" hidden>Animate it</button>
        <button type="button" class="fye-button" data-do="anew">Start anew</button>
        <button type="button" class="fye-button" data-do="forget" hidden>Forget kept points</button>
        <a class="fye-button" data-do="save" download="face.json" hidden>Save as file</a>
        <button type="button" class="fye-button" data-do="load">Load a file</button>
        <input type="file" accept=".json,application/json" aria-label="A file of points" hidden>
      </div>
      <ul class="fye-list" aria-label="All points"></ul>
    </div>
  </div>
</section>
"""


def points_tab() -> None:
    """Lay the tab out."""
    widget("points.js", POINTS, "fye-points")
