"""How the page looks, and the headers that allow it this and nothing else."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1a1c1f; --soft: #565c64; --line: #d5d9de; --paper: #ffffff;
  --band: #f3f5f7; --act: #a3150c; --look: #7d4a00; --wait: #0a5790; --well: #17662b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7e9ec; --soft: #a9b0b8; --line: #3b4148;
  --paper: #14171a; --band: #1e2226; --act: #ff9d94; --look: #f0b860; --wait: #86c5f4; --well: #7fd695; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 100%/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
header { border-left: .5rem solid; padding: .25rem 0 .25rem 1rem; }
header.act { border-color: var(--act); } header.look { border-color: var(--look); }
header.wait { border-color: var(--wait); } header.well { border-color: var(--well); }
h1 { font-size: 1.4rem; line-height: 1.3; margin: 0; }
.act h1 { color: var(--act); } .look h1 { color: var(--look); }
.wait h1 { color: var(--wait); } .well h1 { color: var(--well); }
header p, header ul { margin: .5rem 0 0; }
h2 { font-size: 1.1rem; margin: 1.75rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .35rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem; border-bottom: 1px solid var(--line); }
thead th { background: var(--band); } tbody th { font-weight: 600; }
th.number, td.number { text-align: right; }
th { overflow-wrap: break-word; } td { white-space: pre-line; } tbody th { overflow-wrap: anywhere; }
p time { white-space: nowrap; }
.soft { color: var(--soft); } a { color: inherit; }
@media (max-width: 40rem) { body { padding: .75rem; } table { font-size: .75rem; }
  th, td { padding: .25rem .15rem; } }
@media (max-width: 22.4rem) { th { overflow-wrap: anywhere; } }
"""

HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'",
            "img-src data:",  # an empty icon, so that no browser asks for one
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
}
"""No script, nothing from elsewhere, no style but ours, in nobody's frame, kept nowhere."""
