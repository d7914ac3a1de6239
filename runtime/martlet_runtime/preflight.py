"""Preflight: resolves every name to a commit and a digest, and checks what it finds."""

import contextlib
import tempfile
import traceback
from pathlib import Path
from typing import NamedTuple

from martlet_api.conditions import Reason
from martlet_api.contract import Input, Plan, Termination
from martlet_api.finetunejob import Estimate
from martlet_api.runs import ResolvedInput
from martlet_runtime import cache, models
from martlet_runtime.artifacts import Listing
from martlet_runtime.cache import Store
from martlet_runtime.data import Audit, BadRows, rejected
from martlet_runtime.data.checking import count_rows
from martlet_runtime.errors import FlowError
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report
from martlet_runtime.sources import fetch, source_of

_SHOWN = 300


class Rows(NamedTuple):
    """What looks at the rows of all data files, the folder that they are brought to, each under
    its input's name, and the cache that they are kept in."""

    bad: BadRows
    audit: Audit
    folder: Path
    store: Store | None = None


def run(plan: Plan, paths: Paths, report: Report) -> Termination:
    """Locks the plan's inputs, all of them or none, and writes what people shall see of rows."""
    store = cache.of_pod(paths)
    kept = store.leases.kept() if store else contextlib.nullcontext()
    with tempfile.TemporaryDirectory(dir=paths.work) as scratch, kept:
        return _run(plan, paths, Path(scratch), store)


def _run(plan: Plan, paths: Paths, scratch: Path, store: Store | None) -> Termination:
    rows = Rows(BadRows(plan.rows), Audit(plan.rows), scratch, store)
    resolved = [lock(wanted, paths, rows) for wanted in plan.inputs]
    names = ", ".join(item.name for item in resolved)
    left_out = rejected.write(plan.rows, rows.bad.rejected, paths)
    sample = rows.audit.write(paths)
    estimate, failure = _estimate(plan, resolved, paths, scratch)
    return Termination(
        flow="preflight",
        succeeded=True,
        reason=Reason.REVISIONS_LOCKED,
        message=f"Locked {names}.",
        resolved=resolved,
        rejected=left_out,
        audit=sample,
        estimate=estimate,
        estimate_failure=failure,
        cache=store and store.told(),
    )


def _estimate(
    plan: Plan, resolved: list[ResolvedInput], paths: Paths, data: Path
) -> tuple[Estimate | None, str | None]:
    """What the work needs, of the configurations of its models, or why that cannot be told: a
    model may do what cannot be pretended, and train all the same. Rows that the model's template
    does not take are an error before an accelerator is asked for. Imported here: it needs torch."""
    if plan.estimate is None:
        return None, None
    from martlet_runtime.estimate import flow

    commits = {item.name: item.commit for item in resolved}
    teacher = [item for item in plan.inputs if item.name == "teacher"]
    for wanted in (plan.estimate.model, *teacher):
        commit = wanted.commit or commits.get(wanted.name)
        locked = wanted.model_copy(update={"commit": commit})
        source_of(locked).bring_configuration(locked, paths, paths.inputs / wanted.name)
    flow.check_rows(plan, paths, data)
    try:
        return flow.run(plan.estimate, paths), None
    except FlowError:
        raise
    except Exception as error:  # noqa: BLE001 - told in the Fits condition
        traceback.print_exc()
        return None, f"{type(error).__name__}: {str(error)[:_SHOWN]}"


def lock(wanted: Input, paths: Paths, rows: Rows | None = None) -> ResolvedInput:
    """One input, resolved, hashed and checked."""
    rows = rows or Rows(BadRows(), Audit(), paths.work)
    source = source_of(wanted)
    commit = source.resolve(wanted, paths)
    locked = wanted.model_copy(update={"commit": commit})
    count, before = None, len(rows.bad.rejected)
    with tempfile.TemporaryDirectory(dir=paths.work) as scratch:
        listing = source.listing(locked, paths, Path(scratch))
        if wanted.kind == "Model":
            models.check([file.path for file in listing.files], wanted.uri)
        elif wanted.kind == "Dataset":
            count = _count(locked.model_copy(update={"digest": listing.digest}), paths, rows)
    found = _resolved(wanted, commit, listing, count)
    left_out = len(rows.bad.rejected) - before
    return found.model_copy(update={"rejected_rows": left_out or None})


def _count(locked: Input, paths: Paths, rows: Rows) -> int | None:
    target = rows.folder / locked.name
    fetch(locked, paths, rows.store, target)
    return count_rows(target, locked, rows.bad, rows.audit)


def _resolved(
    wanted: Input, commit: str | None, listing: Listing, rows: int | None
) -> ResolvedInput:
    return ResolvedInput(
        name=wanted.name,
        uri=wanted.uri,
        revision=wanted.revision,
        commit=commit,
        digest=listing.digest,
        files=len(listing.files),
        bytes=listing.bytes,
        rows=rows,
    )
