"""Draw the icons of the manifest from `icon.svg`, in the browser that the tests use."""

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

STATIC = Path(__file__).parents[1] / "conversations" / "static" / "conversations"
SIZES = {"icon-180": 180, "icon-192": 192, "icon-512": 512}
GROUND = "#1f6f6b"


def main() -> None:
    """Write every file of `icons/`."""
    drawing = (STATIC / "icon.svg").read_text()
    target = STATIC / "icons"
    target.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium-headless-shell"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        for name, size in SIZES.items():
            _draw(page, drawing, size, target / f"{name}.png", ground="transparent", share=100)
        # A maskable icon may lose everything outside a circle of four fifths.
        _draw(page, drawing, 512, target / "icon-maskable-512.png", ground=GROUND, share=80)
        browser.close()


def _draw(page, drawing: str, size: int, path: Path, *, ground: str, share: int) -> None:  # type: ignore[no-untyped-def]
    page.set_viewport_size({"width": size, "height": size})
    page.set_content(
        f"<style>body{{margin:0;display:grid;place-items:center;height:100vh;background:{ground}}}"
        f"svg{{width:{share}%;height:{share}%}}</style>{drawing}"
    )
    page.screenshot(path=path, omit_background=True)


if __name__ == "__main__":
    main()
