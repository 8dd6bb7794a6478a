"""The command `wengert`: `demo`, `explain FILE`, `why FILE` and `run FILE`. Works without Rich; with it there are colours."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import sys
import traceback
import types
from collections.abc import Iterator, Sequence
from typing import Any

# How the styles of explain.screen look in colour.
THEME = {
    "head": "bold",
    "name": "cyan",
    "number": "green",
    "rule": "yellow",
    "dim": "bright_black",
    "good": "green",
    "bad": "red",
    "": "",
}


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="wengert", description="PyTorch's autograd in Python you can read; every backward step as mathematics."
    )
    top.add_argument("--version", action="store_true", help="print the version and stop")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    demo = commands.add_parser("demo", help="train a classifier of handwritten digits, then explain one backward step")
    demo.add_argument("--epochs", type=int, default=30, help="passes over the training images (default 30)")
    demo.add_argument("--seed", type=int, default=0)
    show = commands.add_parser(
        "explain",
        help="run a script, unchanged, and explain its last backward()",
        epilog="Arguments after -- are the script's own.",
    )
    show.add_argument("file", help="a Python script that uses wengert")
    show.add_argument("--step", type=int, metavar="K", help="explain the K-th backward (the first is 1), not the last")
    show.add_argument("--node", type=int, metavar="N", help="show step N alone, in full")
    show.add_argument("--limit", type=int, default=40, metavar="L", help="show at most L steps (default 40, 0 for all)")
    show.add_argument(
        "--show", metavar="PART", help="show a part instead: tape, memory, paths ... (docs/explain-parts.md)"
    )
    show.add_argument(
        "--of", metavar="NAME", help="with --show: of which value (paths, accumulation, closed_form, jacobian)"
    )
    show.add_argument(
        "--check", action="store_true", help="check each step against finite differences; exit 1 if one differs"
    )
    show.add_argument(
        "--diff", metavar="OTHER", help="compare with the last backward of another script; exit 1 if they part"
    )
    form = show.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the ledger as JSON")
    form.add_argument("--tex", action="store_true", help="print it as LaTeX")
    form.add_argument("--markdown", action="store_true", help="print it as Markdown")
    show.add_argument("--svg", metavar="OUT", help="also write what the terminal shows as an SVG picture (needs rich)")
    show.add_argument("--html", metavar="OUT", help="also write a page to step through it: one file, no server")
    show.add_argument("--graph", metavar="OUT", help="also write the graph, both directions, as an SVG picture")
    why = commands.add_parser(
        "why",
        help="run a script, unchanged, and say why it failed: an error of backward(), a NaN, a gradient None or zero",
        epilog="Arguments after -- are the script's own.",
    )
    why.add_argument("file", help="a Python script that uses wengert")
    question = why.add_mutually_exclusive_group()
    question.add_argument("--none", metavar="NAME", help="say why NAME.grad is None")
    question.add_argument("--zero", metavar="NAME", help="say why the gradient of NAME is zero")
    question.add_argument("--nan", action="store_true", help="say where the first NaN or infinity was made")
    why.add_argument("--json", action="store_true", help="print the answers as JSON")
    program = commands.add_parser(
        "run",
        help="run a PyTorch script, unchanged: `import torch` is Wengert in it",
        epilog="Arguments after -- are the script's own.",
    )
    program.add_argument("file", help="a Python script that imports torch")
    for command in (show, why):
        command.add_argument("--torch", action="store_true", help="let the script's `import torch` be Wengert")
    for command in (demo, show, why):
        command.add_argument("--width", type=int, help="columns (default: the terminal's)")
        command.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    return top


class Trouble(Exception):
    """Something the user should know, in one sentence, with an exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Returns the exit code: 0, 1 if the script failed or had nothing to explain, 2 for wrong usage."""
    given = list(sys.argv[1:] if argv is None else argv)
    rest: list[str] = []
    if "--" in given:
        at = given.index("--")
        given, rest = given[:at], given[at + 1 :]
    args = parser().parse_args(given)
    if args.version:
        from importlib.metadata import version

        print(f"wengert {version('wengert')}")
        return 0
    if args.command is None:
        parser().print_help()
        return 0
    try:
        if args.command == "demo":
            from .demo import run

            return run(args, Screen(args))
        if args.command == "run":
            return run_as_torch(args.file, rest)
        return why_file(args, rest) if args.command == "why" else explain_file(args, rest)
    except Trouble as trouble:
        print(f"wengert: {trouble}", file=sys.stderr)
        return trouble.code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


# -- output ------------------------------------------------------------------------------------------------------------


class Screen:
    """Where lines of styled text go: in colour to a terminal, by a pager if they are more than fit it; plain to a pipe."""

    def __init__(self, args: Any) -> None:
        terminal = sys.stdout.isatty()
        self.width = args.width or (shutil.get_terminal_size((100, 40)).columns if terminal else 100)
        wanted = args.color == "always" or (args.color == "auto" and terminal and not os.environ.get("NO_COLOR"))
        self.console = self._console() if wanted else None
        self.rows = (
            shutil.get_terminal_size((100, 40)).lines if terminal and args.command in ("explain", "why") else None
        )

    def _console(self) -> Any:
        try:
            from rich.console import Console
        except ImportError:
            return None
        return Console(width=self.width, force_terminal=True, highlight=False, soft_wrap=True)

    def show(self, lines: list[list[tuple[str, str]]]) -> None:
        from .explain.screen import plain

        if self.rows is not None and len(lines) >= self.rows and sys.stdin.isatty():
            return self._page(lines)
        if self.console is None:
            sys.stdout.write(plain(lines))
            return
        for line in lines:
            self.console.print(rich_line(line))

    def _page(self, lines: list[list[tuple[str, str]]]) -> None:
        """By $PAGER, or less: colours are kept, and the text stays on the screen afterwards (PAGER=cat for no pager)."""
        import pydoc

        from .explain.screen import plain

        text = plain(lines)
        if self.console is not None:
            with self.console.capture() as captured:
                for line in lines:
                    self.console.print(rich_line(line))
            text = captured.get()
        os.environ.setdefault("LESS", "FRX")
        pydoc.pager(text)


def rich_line(line: list[tuple[str, str]]) -> Any:
    from rich.text import Text

    return Text.assemble(*((part, THEME[style]) for part, style in line), no_wrap=True)


def picture(lines: list[list[tuple[str, str]]], width: int, title: str) -> str:
    """The lines as an SVG picture of a terminal; the same lines give the same bytes."""
    try:
        from rich.console import Console
    except ImportError:
        raise Trouble("--svg needs Rich: pip install 'wengert[cli]'") from None
    import io

    console = Console(width=width, record=True, file=io.StringIO(), force_terminal=True, highlight=False)
    for line in lines:
        console.print(rich_line(line))
    made = str(console.export_svg(title=title, unique_id="wengert"))
    return re.sub(r"@font-face \{.*?\}\s*", "", made, flags=re.DOTALL)  # nothing is fetched from elsewhere


# -- explain -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def as_main(file: str, arguments: list[str]) -> Iterator[types.ModuleType]:
    """A module `__main__` for the script, with its directory on the path and its arguments in `sys.argv`."""
    module = types.ModuleType("__main__")
    module.__file__ = file
    before = sys.argv, sys.path[:], sys.modules.get("__main__")
    sys.argv = [file, *arguments]
    sys.path.insert(0, os.path.dirname(os.path.abspath(file)))
    sys.modules["__main__"] = module
    try:
        yield module
    finally:
        sys.argv, sys.path[:] = before[0], before[1]
        if before[2] is not None:
            sys.modules["__main__"] = before[2]


@contextlib.contextmanager
def torch_is_wengert(wanted: bool) -> Iterator[None]:
    """Inside, `import torch` is Wengert, if that is wanted."""
    from .alias import install, remove

    if not wanted:
        yield
        return
    try:
        install()
    except RuntimeError as error:
        raise Trouble(str(error)) from None
    try:
        yield
    finally:
        remove()


def run_script(file: str, arguments: list[str], trace: Any) -> BaseException | None:
    """Run a script under a trace. Returns what it raised, if it did; the traceback has been printed."""
    try:
        with open(file, "rb") as f:
            source = f.read()
    except OSError as error:
        raise Trouble(f"cannot read {file}: {error.strerror}", 2) from None
    try:
        code = compile(source, file, "exec")
    except (SyntaxError, ValueError) as error:
        raise Trouble(f"{file} is no Python script: {error}", 2) from None
    with as_main(file, arguments) as module:
        raised: BaseException | None = None
        try:
            with trace:
                exec(code, module.__dict__)
        except SystemExit as stop:
            raised = None if stop.code in (None, 0) else stop
        except BaseException as error:
            raised = error
            tail = error.__traceback__
            while tail is not None and tail.tb_frame.f_code.co_filename != file:
                tail = tail.tb_next
            traceback.print_exception(type(error), error, tail or error.__traceback__)
        trace.finish(module.__dict__)
    return raised


def run_as_torch(file: str, arguments: list[str]) -> int:
    """Run a script in which `import torch` is Wengert. What it raises, it raises; its exit code is ours."""
    import runpy

    from .alias import install

    if not os.path.isfile(file):
        raise Trouble(f"cannot read {file}: no such file", 2)
    install()
    sys.argv = [file, *arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(file))
    runpy.run_path(file, run_name="__main__")
    return 0


def _hint() -> str:
    """For a script that used PyTorch itself."""
    found = sys.modules.get("torch")
    theirs = found is not None and found is not sys.modules["wengert"]
    return " (it imported PyTorch: --torch lets that be Wengert)" if theirs else ""


def write_files(explanation: Any, args: Any) -> None:
    """The page and the picture of the graph, where they are asked for."""
    for out, make in ((args.html, explanation.html), (args.graph, explanation.svg)):
        if out:
            try:
                with open(out, "w", encoding="utf-8", newline="\n") as f:
                    f.write(make())
            except OSError as error:
                raise Trouble(f"cannot write {out}: {error.strerror}", 2) from None


def explain_file(args: Any, rest: list[str]) -> int:
    from .explain import export
    from .explain.screen import lay_out, one_block
    from .explain.shots import WHOLE
    from .explain.tracing import Trace

    if args.step is not None and args.step < 1:
        raise Trouble("--step counts from 1", 2)
    # What is to be computed again needs its numbers; the budget of a trace bounds what that takes.
    whole = 1 << 20 if args.show or args.check or args.diff else WHOLE
    trace = Trace(keep="last" if args.step is None else args.step - 1, whole=whole)
    structured = args.json or args.tex or args.markdown
    # What the script prints must not get between the lines of a machine's input.
    with (
        contextlib.redirect_stdout(sys.stderr) if structured else contextlib.nullcontext(),
        torch_is_wengert(args.torch),
    ):
        raised = run_script(args.file, rest, trace)
    name = os.path.basename(args.file)
    seen = trace.recorder.seen
    chosen = [p for p in trace.passes if args.step is None or p.ledger.number == args.step - 1]
    if not chosen:
        if raised is not None:
            kind = type(raised).__name__
            raise Trouble(f"{name} raised {kind} before any backward() ran; nothing to explain{_hint()}")
        if seen:
            raise Trouble(f"{name} called backward() {seen} times; there is no backward number {args.step}")
        raise Trouble(f"{name} ran, but it never called backward(), so there is nothing to explain{_hint()}")
    ledger = chosen[-1].ledger
    write_files(chosen[-1], args)
    if args.show or args.check or args.diff:
        return show_part(chosen[-1], args, rest) if raised is None else max(1, show_part(chosen[-1], args, rest))
    if structured:
        make = export.to_json if args.json else export.to_latex if args.tex else export.to_markdown
        sys.stdout.write(make(ledger))
        return 0 if raised is None else 1
    screen = Screen(args)
    if args.node is not None:
        if not any(b.step.number == args.node for b in ledger.blocks):
            raise Trouble(f"no step {args.node} in this pass: it has the steps 1 to {len(ledger.forward)}", 2)
        lines = one_block(ledger, args.node, screen.width)
    else:
        lines = lay_out(ledger, screen.width, args.limit or None)
    screen.show(lines)
    if args.svg:
        with open(args.svg, "w", encoding="utf-8") as f:
            f.write(picture(lines, screen.width, f"wengert explain {name}"))
    if raised is not None:
        print(f"wengert: {name} raised {type(raised).__name__}; this is the last backward before it", file=sys.stderr)
        return 1
    return 0


def show_part(explanation: Any, args: Any, rest: list[str]) -> int:
    """One part of an explanation (explain.parts), as text, JSON or, where it has it, LaTeX. 1 if it finds a difference."""
    part: Any
    if args.diff:
        from .explain.tracing import Trace

        trace = Trace(keep="last", whole=1 << 20)
        with contextlib.redirect_stdout(sys.stderr):
            run_script(args.diff, rest, trace)
        if not trace.passes:
            raise Trouble(f"{os.path.basename(args.diff)} ran, but it never called backward()")
        part = explanation.compare(trace.last)
    else:
        needs = {"paths": "of", "accumulation": "of", "jacobian": "node"}.get(args.show)
        if needs and getattr(args, needs) is None:
            raise Trouble(
                f"--show {args.show} is of one {'step: --node N' if needs == 'node' else 'value: --of NAME'}", 2
            )
        try:
            part = explanation.part("check" if args.check else args.show, args.of, args.node)
        except (KeyError, ValueError, NotImplementedError) as error:
            raise Trouble(str(error.args[0]).removeprefix("part(): "), 2) from None
    if args.tex and not hasattr(part, "latex"):
        raise Trouble(f"--tex: {args.show or 'this part'} has no LaTeX; closed_form has, and so has the ledger", 2)
    width = args.width or (shutil.get_terminal_size((100, 40)).columns if sys.stdout.isatty() else 100)
    sys.stdout.write(
        part.to_json() if args.json else part.latex() if args.tex else part.text(width, args.limit or None)
    )
    return 1 if (args.check or args.diff) and not part else 0


# -- why ---------------------------------------------------------------------------------------------------------------


def why_file(args: Any, rest: list[str]) -> int:
    from .explain.diagnosis import script
    from .explain.tracing import Trace

    watcher = script.ScriptWatcher()
    trace = Trace(recorder=watcher)
    with (
        contextlib.redirect_stdout(sys.stderr) if args.json else contextlib.nullcontext(),
        torch_is_wengert(args.torch),
    ):
        raised = run_script(args.file, rest, trace)
    name = os.path.basename(args.file)
    asked = args.none or args.zero
    if isinstance(raised, SystemExit):
        print(f"wengert: {name} ended with {raised.code!r}", file=sys.stderr)
    error = None if isinstance(raised, SystemExit) else raised
    if error is None and not watcher.passes:
        raise Trouble(f"{name} ran, but it never called backward(), so there is no gradient to ask about{_hint()}")
    if asked and watcher.passes:
        try:
            answers = [script.of_name(watcher, asked, watcher.variables, "none" if args.none else "zero")]
        except KeyError:
            known = ", ".join(called for called, _ in watcher.leaves.values())
            raise Trouble(
                f"no tensor of {name} is called {asked!r}; it has {known or 'none that require grad'}", 2
            ) from None
    elif args.nan and watcher.passes:
        answers = [script.nan(watcher, watcher.variables)]
    else:
        answers = script.whole(watcher, error, watcher.variables)
    if args.json:
        import json

        print(json.dumps([a.as_dict() for a in answers], indent=2, ensure_ascii=False))
        return 0 if raised is None else 1
    screen = Screen(args)
    if not answers:
        count = len(watcher.given)
        every = f"{'both' if count == 2 else f'all {count}'} parameters" if count != 1 else "the parameter"
        passes = "its one backward pass" if watcher.seen == 1 else f"{watcher.seen} backward passes"
        screen.show([[(f"{name}: nothing wrong. In {passes} {every} got a gradient that is finite and "
                       "not zero.", "good")]])  # fmt: skip
    for k, answer in enumerate(answers):
        screen.show([[("", "")]] * (k > 0) + answer.lines(min(screen.width, 120)))
    return 0 if raised is None else 1


if __name__ == "__main__":
    sys.exit(main())
