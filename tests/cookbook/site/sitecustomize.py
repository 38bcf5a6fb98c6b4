"""Loaded into every recipe's process: the one web page a cookbook script wants, from here.

`compare_sampling_training_logprobs` scores a source file that it downloads; any text serves.
"""

import os
from pathlib import Path

PAGE = os.environ.get("COOKBOOK_PAGE")

if PAGE:
    import httpx

    download = httpx.get

    def get(url, *args, **kwargs):
        if str(url).startswith("https://raw.githubusercontent.com/"):
            request = httpx.Request("GET", url)
            return httpx.Response(200, text=Path(PAGE).read_text(), request=request)
        return download(url, *args, **kwargs)

    httpx.get = get
