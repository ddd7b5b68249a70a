"""How the page looks."""

import gradio as gr

STYLE = """
.gradio-container {max-width: 1400px !important; margin: 0 auto}
#title h1 {margin: 0; font-weight: 650; letter-spacing: -.02em}
#title p {margin: .1em 0 0; opacity: .75}
#message {padding: 0; min-height: 0; border: 0}
#message .failed, #status .failed {color: #b3261e; font-weight: 600}
.dark #message .failed, .dark #status .failed {color: #ffb4ab}
#status {min-height: 3.2em}
#status progress {width: 100%; height: .6em; accent-color: #D55E00}
#status p {margin: .2em 0}
#gallery .grid-wrap, #thumbnails .grid-wrap {max-height: none}
#thumbnails .grid-container {grid-template-columns: repeat(auto-fill, minmax(64px, 1fr)) !important}
#thumbnails .grid-container > * {width: auto !important}
#films ul {margin: 0; padding-left: 1.2em}
#film-frames img {width: 16%; display: inline-block; margin: 0 .3%}
#whole p {margin: .2em 0}
#whole video {width: 100%; max-height: 520px; background: #000}
#command textarea {font-family: ui-monospace, monospace; font-size: 12px}
:focus-visible {outline: 3px solid #0072B2 !important; outline-offset: 2px}
.gradio-container, .gradio-container > .main {width: 100% !important; box-sizing: border-box}
#content, #style-1 {min-width: 120px !important}
@media (max-width: 640px) {
  .gradio-container > .main {padding: 8px !important}
  #result {height: 320px !important}
}
"""


def theme() -> gr.Theme:
    """A theme that asks no other host for its fonts."""
    return gr.themes.Soft(
        primary_hue="orange",
        neutral_hue="stone",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )
