"""The page: what it contains, and (with Chromium and Selenium, extra `page`) how it behaves in a browser."""

from __future__ import annotations

import base64
import json
import re
import shutil
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import wengert as torch
from test_explain import LINEAR, last
from test_graph_drawing import network
from wengert import explain
from wengert.cli import main
from wengert.explain.notation import text
from wengert.explain.page import to_page
from wengert.explain.screen import formula, rename, with_numbers

NAN = """
import wengert as torch
x = torch.tensor([4.0, 0.0], requires_grad=True)
root = torch.sqrt(x)
kept = torch.where(x > 0, root, torch.zeros(2))
loss = kept.sum()
loss.backward()
"""


def data_of(html: str) -> Any:
    kind, data = re.search(r'<script type="([^"]*)" id="data">(.*?)</script>', html, re.DOTALL).groups()  # type: ignore[union-attr]
    if kind == "application/octet-stream":
        data = zlib.decompress(base64.b64decode(data), -15).decode()
    return json.loads(data)


def chain(length: int) -> explain.Explanation:
    x = torch.ones(3, requires_grad=True)
    with explain.trace() as t:
        y = x
        for _ in range(length // 2):
            y = y * 1.0001
            y = y.sin()
        loss = y.sum()
        loss.backward()
    return t.last


# -- without a browser -------------------------------------------------------------------------------------------------


def test_a_page_is_one_file_that_fetches_nothing(tmp_path: Path) -> None:
    html = last(LINEAR, tmp_path).html()
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(https?:|//)""", html)
    assert "<link" not in html
    assert "import(" not in html
    assert "fetch(" not in html
    assert "{{" not in html


def test_a_long_page_is_packed_and_stores_each_formula_once() -> None:
    html = chain(3000).html()
    assert 'type="application/octet-stream" id="data"' in html
    assert len(html) < 900_000
    data = data_of(html)
    assert data["forward"] == 3001
    assert len(data["formulas"]) < 10
    assert len(data["stems"]) < 10
    numbered = [n for n in data["names"] if not isinstance(n, str)]
    assert len(numbered) > 3000
    assert chain(3000).html() == html


def test_formulas_with_holes_say_what_formulas_say(tmp_path: Path) -> None:
    """The rows and the numbers of the page are what is written directly."""
    explanation = last(NAN.replace("where(x > 0, root", "where(x > 0, -3 * root * root / (x - 1.5)"), tmp_path)
    ledger = explanation.ledger
    data = to_page(ledger)
    rows = [s["r"] for s in data["steps"]]
    assert rows[: data["forward"]] == [f"{s.outputs[0].name} = {formula(s)}" for s in ledger.forward]
    for block, row in zip(ledger.blocks, data["steps"][data["forward"] :], strict=True):
        for term, shown in zip(block.terms, row["t"], strict=True):
            assert shown.get("n") in (with_numbers(block, term.rule), None)
            assert ("n" in shown) == (with_numbers(block, term.rule) not in (None, shown["v"]))
        if block.terms:
            assert text(block.terms[0].rule, rename(block)) in row["r"]


def test_a_page_is_written_where_it_is_told(tmp_path: Path) -> None:
    explanation = last(LINEAR, tmp_path)
    made = explanation.html(tmp_path / "out.html")
    assert (tmp_path / "out.html").read_text(encoding="utf-8") == made == explanation.to_html()


def test_the_data_are_the_ledgers(tmp_path: Path) -> None:
    explanation = last(LINEAR, tmp_path)
    data = data_of(explanation.html())
    assert data["forward"] == 5
    assert len(data["steps"]) == 5 + len(explanation.ledger.blocks)
    assert [s["r"] for s in data["steps"]][4:6] == ["loss = mean(v4)", "∇v4 = expand(∇loss / 3, (3,))"]
    fan_in = data["steps"][6]
    assert [t["say"] for t in fan_in["t"]] == ["1 of 2, waiting", "2 of 2: ∇error = [0, 0.3333, 0]"]
    assert fan_in["t"][0]["n"] == "[0.3333, 0.3333, 0.3333] · [0, 0.5, 0]"


def test_a_name_that_looks_like_markup_stays_text(tmp_path: Path) -> None:
    explanation = last(LINEAR.replace("error", "x"), tmp_path)
    explanation.ledger.root.name = "</script><b>"
    html = explanation.html()
    assert "</script><b>" not in html
    assert data_of(html)["title"].startswith("</script><b>")


def test_a_formula_that_comes_often_is_stored_once() -> None:
    data = to_page(chain(400).ledger)
    assert len(data["steps"]) > 800
    assert len(data["formulas"]) < 10


def test_memory_is_what_is_kept_counted_once(tmp_path: Path) -> None:
    explanation = last(
        """
        import wengert as torch
        x = torch.ones(1000, requires_grad=True)
        y = x.exp()
        z = y.sin()
        loss = (y * z).sum()
        loss.backward()
        """,
        tmp_path,
    )
    page = to_page(explanation.ledger)
    # exp keeps y, sin keeps y too, the product keeps y and z; sum, mul, sin, exp run back.
    assert page["kept"] == explanation.memory.curve == [0, 4000, 4000, 8000, 8000, 8000, 4000, 4000, 0]
    assert page["owners"] == [["y", 4000], ["z", 4000]]


def test_the_command_writes_a_page_and_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = tmp_path / "program.py"
    program.write_text(LINEAR)
    page, picture = tmp_path / "out.html", tmp_path / "out.svg"
    assert main(["explain", str(program), "--html", str(page), "--graph", str(picture)]) == 0
    assert data_of(page.read_text(encoding="utf-8"))["title"] == "loss = 0.08333"
    assert picture.read_text(encoding="utf-8").startswith("<svg")
    capsys.readouterr()
    assert main(["explain", str(program), "--html", str(tmp_path / "no" / "out.html")]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_a_page_before_backward_of_an_untraced_graph() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    data = data_of(explain((x * x).sum()).html())
    assert [s["r"] for s in data["steps"][2:]] == ["∇v1 = expand(∇loss, (2,))", "∇x += ∇v1 · x  (+1)"]


def test_the_second_order_has_a_page_too() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with explain.trace() as t:
        (g,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
        g.square().sum().backward()
    data = data_of(t.last.html())
    assert any("order 2" in data["lines"][s["say"]] for s in data["steps"])


# -- in a browser ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    selenium = pytest.importorskip("selenium", reason="needs Selenium: pip install 'wengert[page]'")
    assert selenium
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs chromium and chromedriver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("headless", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking",
                 "disable-component-update", "disable-sync", "window-size=1280,860",
                 f"user-data-dir={tmp_path_factory.mktemp('chromium')}"):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=Service(driver))
    yield made
    made.quit()


def show(browser: Any, explanation: Any, tmp_path: Path, fragment: str = "") -> None:
    file = tmp_path / "page.html"
    explanation.html(file)
    browser.get("about:blank")
    browser.get(file.as_uri() + fragment)
    until = time.monotonic() + 20  # a packed page is ready a little after it is loaded
    while not browser.execute_script("return document.documentElement.dataset.ready"):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert [e for e in browser.get_log("browser") if e["level"] == "SEVERE"] == []


def press(browser: Any, *keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    for key in keys:
        ActionChains(browser).send_keys(key).perform()


def now(browser: Any) -> str:
    return str(browser.find_element("id", "where-now").text)


def gradients_shown(browser: Any) -> list[str]:
    script = "return [...document.querySelectorAll('#canvas text.on')].map(e => e.textContent).filter(t => t[0] == '∇')"
    return list(browser.execute_script(script))


def test_the_keyboard_steps(browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    show(browser, last(LINEAR, tmp_path), tmp_path)
    assert now(browser) == "start, 10 steps"
    press(browser, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert now(browser) == "forward 2 of 5"
    assert gradients_shown(browser) == []
    press(browser, "b")
    assert now(browser) == "backward 1 of 5"
    assert "∇ [0.3333, 0.3333, 0.3333]" in gradients_shown(browser)
    press(browser, Keys.ARROW_LEFT)
    assert now(browser) == "forward 5 of 5"
    assert gradients_shown(browser) == []
    press(browser, Keys.END)
    assert now(browser) == "backward 5 of 5"
    assert {"∇ 0.6667", "∇ 0.3333"} <= set(gradients_shown(browser))
    press(browser, Keys.HOME)
    assert now(browser) == "start, 10 steps"


def test_the_card_has_mathematics_numbers_and_the_line(browser: Any, tmp_path: Path) -> None:
    show(browser, last(LINEAR, tmp_path), tmp_path, "#7")
    card = browser.find_element("id", "card")
    assert "loss = (error * error).mean()" in card.text
    assert "= [0.3333, 0.3333, 0.3333] · [0, 0.5, 0]" in card.text
    assert "1 of 2, waiting" in card.text
    assert browser.execute_script("return document.querySelectorAll('#card math mi').length") > 4
    assert browser.execute_script(
        "return [...document.querySelectorAll('#card math')].every(m => m.getBoundingClientRect().height > 8)"
    )


def test_clicking_a_box_runs_to_it(browser: Any, tmp_path: Path) -> None:
    show(browser, last(LINEAR, tmp_path), tmp_path)
    browser.find_element("css selector", '#canvas [data-s="3"] .f').click()
    assert now(browser) == "forward 3 of 5"
    box = browser.find_element("css selector", '#canvas [data-s="3"]')
    assert box.get_attribute("aria-current") == "step"
    browser.find_element("css selector", '#canvas [data-s="3"] .f').click()
    assert now(browser) == "backward 3 of 5"


def test_breakpoints(browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    show(browser, last(NAN, tmp_path), tmp_path)
    browser.find_element("css selector", "details summary").click()
    browser.find_element("id", "nan").click()
    browser.execute_script("document.activeElement.blur()")
    press(browser, "r")
    assert now(browser).startswith("backward")
    assert "nan" in browser.find_element("id", "card").text
    press(browser, Keys.HOME)
    browser.find_element("id", "nan").click()
    browser.find_element("id", "high").send_keys("1.9")
    browser.find_element("id", "run").click()
    assert now(browser).startswith("forward")
    assert "sqrt" in browser.find_element("id", "card").text
    show(browser, last(LINEAR, tmp_path), tmp_path, "#4")
    press(browser, ".", Keys.HOME, "r")
    assert now(browser) == "forward 4 of 5"
    press(browser, "r")
    assert now(browser) == "backward 5 of 5"


def test_search(browser: Any, tmp_path: Path) -> None:
    show(browser, last(LINEAR, tmp_path), tmp_path)
    press(browser, "/", *"mean")
    rows = [r.text for r in browser.find_elements("css selector", "#rows .row")]
    assert rows
    assert all("mean" in r or "∇v4" in r or "error" in r for r in rows)
    assert len(rows) < 10
    browser.find_element("id", "search").send_keys(" no such step")
    assert "No step says that." in browser.find_element("id", "rows").text


def test_scopes_open_and_close(browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    show(browser, network(), tmp_path)
    browser.find_element("id", "fold").click()
    assert browser.find_elements("css selector", "#canvas [data-o]")
    press(browser, *[Keys.ARROW_RIGHT] * 3)
    assert [b.text for b in browser.find_elements("css selector", "#crumbs > *")][:2] == ["loss", "Net"]
    press(browser, Keys.ESCAPE)
    press(browser, Keys.ESCAPE)
    assert browser.find_element("css selector", "#crumbs b").text == "loss"


def test_it_is_labelled_and_fits_a_phone(browser: Any, tmp_path: Path) -> None:
    show(browser, last(LINEAR, tmp_path), tmp_path, "#7")
    unnamed = browser.execute_script(
        """return [...document.querySelectorAll('button, input, [role]')].filter(e =>
             !(e.getAttribute('aria-label') || e.textContent.trim() || e.closest('label'))).map(e => e.outerHTML)"""
    )
    assert unnamed == []
    options = browser.find_elements("css selector", "#list [role=option][aria-selected=true]")
    assert [o.get_attribute("id") for o in options] == [
        browser.find_element("id", "list").get_attribute("aria-activedescendant")
    ]
    size = browser.get_window_size()
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.set_window_size(size["width"], size["height"])


def test_dark_follows_the_system(browser: Any, tmp_path: Path) -> None:
    colours = []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        show(browser, last(LINEAR, tmp_path), tmp_path)
        colours.append(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert colours[0] != colours[1]


def test_two_thousand_steps_open_quickly_and_the_list_stays_small(browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    start = time.perf_counter()
    show(browser, chain(2000), tmp_path)
    ready = int(browser.execute_script("return document.documentElement.dataset.ready"))
    assert ready < 2000, f"{ready} ms; {time.perf_counter() - start:.1f} s with making it"
    assert browser.execute_script("return document.querySelectorAll('.row').length") < 60
    press(browser, Keys.END)
    assert now(browser) == "backward 2001 of 2001"
    assert browser.execute_script("return document.querySelectorAll('.row').length") < 60
