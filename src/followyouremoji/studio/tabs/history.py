"""The tab History: what was made and is being made, and many portraits animated by many motions at once."""

from __future__ import annotations

from followyouremoji.studio.widget import widget

HISTORY = """
<details class="fye-card fye-batch">
  <summary>
    <span class="fye-batch-icon"></span>
    <span><strong>Animate many at once</strong> <span class="fye-hint">Several portraits by several motions, under one
    bar and in one ZIP</span></span>
    <span class="fye-batch-open"></span>
  </summary>
  <h2>Portraits</h2>
  <div class="fye-batch-portraits"></div>
  <h2>What moves them</h2>
  <div class="fye-batch-drivings"></div>
  <div class="fye-buttons fye-batch-begin"></div>
</details>
<section class="fye-card fye-history" aria-label="Results"></section>
"""


def history_tab() -> None:
    """Lay the tab out."""
    widget("history.js", HISTORY, "fye-history")
