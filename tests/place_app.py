"""The page Place a clip in tests without a browser: giving it files, and all that it says."""

import html

from streamlit.testing.v1 import AppTest


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    for name, content in files:
        app.file_uploader[0].upload(name, content, "audio/wav")
    app.run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.text, *app.warning, *app.error, *app.info, *app.success]
    shown = [part.value for part in parts] + [html.unescape(part.proto.body) for part in app.get("html")]
    return "\n".join(shown).replace("\\", "")  # without what switches Markdown off
