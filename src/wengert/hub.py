"""`torch.hub` refuses: it fetches and runs the code of others, written for another library. Its bar of progress is tqdm's."""

from __future__ import annotations

from typing import Any

from .environment.refusal import refusals

try:
    from tqdm import tqdm as tqdm  # type: ignore[import-untyped, unused-ignore]
except ImportError:

    class tqdm:  # type: ignore[no-redef]
        """What `tqdm` is where it is not installed: the iterable, without a bar."""

        def __init__(self, iterable: Any = None, *args: Any, **kwargs: Any) -> None:
            self.iterable = iterable
            self.n = 0

        def __iter__(self) -> Any:
            return iter(self.iterable)

        def __len__(self) -> int:
            return len(self.iterable)

        def update(self, n: float = 1) -> None:
            """Count further."""
            self.n += n  # type: ignore[assignment]

        def set_postfix(self, *args: Any, **kwargs: Any) -> None:
            """Shows nothing."""

        set_description = set_postfix_str = write = set_postfix

        def close(self) -> None:
            """Nothing is open."""

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *exc: object) -> None:
            self.close()


globals().update(
    refusals(
        "hub",
        ("load", "list", "help", "download_url_to_file", "load_state_dict_from_url", "get_dir", "set_dir"),
        "nothing is fetched from the network here; download the checkpoint and read it with torch.load(path), and build the "
        "model in your own program",
    )
)
