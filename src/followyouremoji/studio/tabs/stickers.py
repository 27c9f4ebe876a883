"""The tab Stickers: a portrait, a motion and a messenger, and the file that it takes, on light and on dark."""

from __future__ import annotations

from html import escape

from followyouremoji.face.expressions import NAMED_EXPRESSIONS
from followyouremoji.stickers.services import SERVICES
from followyouremoji.studio.stickers import LONGEST_CAPTION, limits_in_words, service_name
from followyouremoji.studio.widget import widget

FIRST = "telegram"

STICKERS = f"""
<div class="fye-sticker-tab">
  <div class="fye-sticker-inputs">
    <section class="fye-card fye-sticker-portrait" aria-label="Portrait">
      <h2>Portrait</h2>
      <div class="fye-choice"></div>
    </section>
    <section class="fye-card fye-sticker-motion" aria-label="What it does">
      <h2>What it does</h2>
      <div class="fye-choice"></div>
    </section>
  </div>
  <form class="fye-card fye-sticker-look" aria-label="How it looks">
    <fieldset class="fye-services">
      <legend>For</legend>
      {
    "".join(
        f'<label><input type="radio" name="service" value="{name}" data-words="{escape(limits_in_words(one))}"><span>{escape(service_name(one))}</span></label>'
        for name, one in SERVICES.items()
    )
}
    </fieldset>
    <p class="fye-hint fye-limits" role="status"></p>
    <div class="fye-wrong" data-setting="services"></div>
    <fieldset class="fye-background">
      <legend>Background</legend>
      <label><input type="radio" name="backdrop" value="remove" checked> Removed</label>
      <label><input type="radio" name="backdrop" value="keep"> Kept</label>
    </fieldset>
    <div class="fye-wrong" data-setting="backdrop"></div>
    <label class="fye-tick"><input type="checkbox" name="outline" checked> White outline</label>
    <div class="fye-wrong" data-setting="outline"></div>
    <label class="fye-caption">Caption
      <input type="text" name="caption" maxlength="{
    LONGEST_CAPTION
}" placeholder="none" autocomplete="off" dir="auto"
        aria-describedby="fye-caption-wrong">
    </label>
    <div class="fye-wrong" data-setting="caption" id="fye-caption-wrong"></div>
  </form>
  <section class="fye-card fye-sticker-stage" aria-label="Sticker">
    <div class="fye-grounds">
      <figure>
        <div class="fye-ground fye-on-light"></div>
        <figcaption>On light</figcaption>
      </figure>
      <figure>
        <div class="fye-ground fye-on-dark"></div>
        <figcaption>On dark</figcaption>
      </figure>
    </div>
    <p class="fye-hint fye-shown" role="status"></p>
    <button type="button" class="fye-button fye-primary fye-make" data-do="make" disabled>Make the sticker</button>
    <div class="fye-sticker-working" hidden>
      <p class="fye-said" role="status"></p>
      <progress max="1" aria-label="How much of it is made"></progress>
      <button type="button" class="fye-button" data-do="cancel">Cancel</button>
    </div>
    <div class="fye-wrong" data-setting=""></div>
    <div class="fye-written" hidden></div>
    <div class="fye-pack">
      <div>
        <h2>A whole pack</h2>
        <p class="fye-hint">The portrait with each of {
    len(NAMED_EXPRESSIONS)
} expressions, named and packed for
        <span class="fye-pack-for"></span>; it takes some minutes.</p>
      </div>
      <button type="button" class="fye-button" data-do="pack" disabled>Make the pack</button>
    </div>
  </section>
</div>
""".replace(f'value="{FIRST}"', f'value="{FIRST}" checked')


def stickers_tab() -> None:
    """Lay the tab out."""
    widget("stickers.js", STICKERS, "fye-stickers")
