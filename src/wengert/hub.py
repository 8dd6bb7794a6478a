"""`torch.hub` refuses: it fetches and runs the code of others, written for another library."""

from __future__ import annotations

from .environment.refusal import refusals

globals().update(
    refusals(
        "hub",
        ("load", "list", "help", "download_url_to_file", "load_state_dict_from_url", "get_dir", "set_dir"),
        "nothing is fetched from the network here; download the checkpoint and read it with torch.load(path), and build the "
        "model in your own program",
    )
)
