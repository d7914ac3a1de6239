"""Preflight: resolves every name to a commit and a digest, and checks what it finds."""

import contextlib
import tempfile
import traceback
from pathlib import Path
from typing import Any, NamedTuple

from martlet_api.conditions import Reason
from martlet_api.contract import Input, Plan, Termination
from martlet_api.finetunejob import Estimate
from martlet_api.runs import ResolvedInput
from martlet_runtime import cache, contamination, models
from martlet_runtime.artifacts import Listing
from martlet_runtime.cache import Store
from martlet_runtime.data import Audit, BadRows, Render, TrainedOn, rejected
from martlet_runtime.data.checking import count_rows
from martlet_runtime.data.training import as_it_is, empty
from martlet_runtime.errors import FlowError
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report
from martlet_runtime.sources import Source, fetch, source_of

_SERVED = ("EvalRun", "InferenceService")
"""Kinds whose engine is chosen by the model's format."""
_SHOWN = 300


class Rows(NamedTuple):
    """What looks at the rows of all data files, the folder that they are brought to, each under
    its input's name, the cache that they are kept in, and what training makes of a row."""

    bad: BadRows
    audit: Audit
    trained: TrainedOn
    folder: Path
    store: Store | None = None
    render: Render = as_it_is


def run(plan: Plan, paths: Paths, report: Report) -> Termination:
    """Locks the plan's inputs, all of them or none, and writes what people shall see of rows."""
    store = cache.of_pod(paths)
    kept = store.leases.kept() if store else contextlib.nullcontext()
    with tempfile.TemporaryDirectory(dir=paths.work) as scratch, kept:
        return _run(plan, paths, Path(scratch), store)


def _run(plan: Plan, paths: Paths, scratch: Path, store: Store | None) -> Termination:
    named = [item for item in plan.inputs if item.kind == "Model"]
    locked = {item.name: lock(item, paths, served=plan.kind in _SERVED) for item in named}
    tokenizer = _tokenizer(plan, locked, paths)
    rows = Rows(
        BadRows(plan.rows),
        Audit(plan.rows),
        TrainedOn(scratch, plan.rows),
        scratch,
        store,
        _render(plan, tokenizer),
    )
    data = [item for item in plan.inputs if item.kind != "Model"]
    locked |= {item.name: lock(item, paths, rows) for item in data}
    resolved = [locked[item.name] for item in plan.inputs]
    names = ", ".join(item.name for item in resolved)
    left_out = rejected.write(plan.rows, rows.bad.rejected, paths)
    sample = rows.audit.write(paths)
    trained = rows.trained.write(paths, f"{plan.kind}/{plan.name}")
    compared = plan.contamination and contamination.compare(
        plan.contamination, paths, scratch, store
    )
    estimate, failure = _estimate(plan, paths, tokenizer)
    return Termination(
        flow="preflight",
        succeeded=True,
        reason=Reason.REVISIONS_LOCKED,
        message=f"Locked {names}." if names else "All was locked already.",
        resolved=resolved,
        rejected=left_out,
        audit=sample,
        trained_on=trained,
        contamination=compared,
        estimate=estimate,
        estimate_failure=failure,
        cache=store and store.told(),
    )


def _tokenizer(plan: Plan, models: dict[str, ResolvedInput], paths: Paths) -> Any:
    """The tokenizer of the model to train, all of whose configurations are brought; None where
    none is trained. Imported here: it needs torch."""
    if plan.estimate is None:
        return None
    from martlet_runtime.estimate import flow

    teacher = [item for item in plan.inputs if item.name == "teacher"]
    for wanted in (plan.estimate.model, *teacher):
        found = models.get(wanted.name)
        commit = wanted.commit or (found and found.commit)
        locked = wanted.model_copy(update={"commit": commit})
        source_of(locked).bring_configuration(locked, paths, paths.inputs / wanted.name)
    return flow.tokenizer_of(plan.estimate, paths)


def _render(plan: Plan, tokenizer: Any) -> Render:
    """What training will make of a row, so that one that it could not take is told before an
    accelerator is asked for."""
    if plan.estimate is None:
        return as_it_is
    from martlet_runtime.estimate import flow

    return flow.renderer_of(plan.estimate, tokenizer)


def _estimate(plan: Plan, paths: Paths, tokenizer: Any) -> tuple[Estimate | None, str | None]:
    """What the work needs, of the configurations of its models, or why that cannot be told: a
    model may do what cannot be pretended, and train all the same."""
    if plan.estimate is None:
        return None, None
    from martlet_runtime.estimate import flow

    try:
        return flow.run(plan.estimate, paths, tokenizer), None
    except FlowError:
        raise
    except Exception as error:  # noqa: BLE001 - told in the Fits condition
        traceback.print_exc()
        return None, f"{type(error).__name__}: {str(error)[:_SHOWN]}"


def lock(
    wanted: Input, paths: Paths, rows: Rows | None = None, *, served: bool = False
) -> ResolvedInput:
    """One input, resolved, hashed and checked. Of a model that an engine is to serve, the format
    too."""
    rows = rows or Rows(BadRows(), Audit(), TrainedOn(paths.work), paths.work)
    form = None
    source = source_of(wanted)
    commit = source.resolve(wanted, paths)
    locked = wanted.model_copy(update={"commit": commit})
    count, before = None, len(rows.bad.rejected)
    with tempfile.TemporaryDirectory(dir=paths.work) as scratch:
        listing = source.listing(locked, paths, Path(scratch))
        if wanted.kind == "Model":
            models.check([file.path for file in listing.files], wanted.uri)
            form = _format(locked, source, paths, Path(scratch)) if served else None
        elif wanted.kind == "Dataset":
            count = _count(locked.model_copy(update={"digest": listing.digest}), paths, rows)
        elif not listing.files:
            raise empty(wanted.uri)
    found = _resolved(wanted, commit, listing, count)
    left_out = len(rows.bad.rejected) - before
    return found.model_copy(update={"rejected_rows": left_out or None, "format": form})


def _format(locked: Input, source: Source, paths: Paths, scratch: Path) -> str:
    folder = scratch / "configuration"
    source.bring_configuration(locked, paths, folder)
    return models.format_of(models.config_of(folder))


def _count(locked: Input, paths: Paths, rows: Rows) -> int | None:
    target = rows.folder / locked.name
    fetch(locked, paths, rows.store, target)
    return count_rows(target, locked, rows.bad, rows.audit, rows.render, rows.trained)


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
