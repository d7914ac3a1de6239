"""Pages of the engines' own making, cut to what is read of them and its neighbours."""

import re
from pathlib import Path

PAGES = Path(__file__).parent / "pages"
RECORDERS = Path(__file__).parent / "recorders"
_KEPT = re.compile(
    r"(vllm|lmdeploy|sglang):(num_requests_|num_running_reqs|num_queue_reqs|generation_tokens|"
    r"request_success|kv_cache_usage|gpu_cache_usage|token_usage|time_to_first_token|"
    r"inter_token_latency|iter_token_latency|e2e_request_latency|http_responses)|http_requests"
)


def cut(page: str) -> str:
    """Without the families that nobody reads, and without the times at which each was made."""
    kept = (line for line in page.splitlines() if _is_kept(line))
    return "\n".join(kept) + "\n"


def _is_kept(line: str) -> bool:
    name = line.split()[2] if line.startswith("# ") else line
    return bool(_KEPT.match(name)) and "_created" not in name


def page(name: str) -> str:
    return (PAGES / f"{name}.txt").read_text()
