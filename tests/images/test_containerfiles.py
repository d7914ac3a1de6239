"""What every Containerfile must have, so that its image runs in a restricted namespace."""

import json
import shlex
from pathlib import Path

import pytest

import catalog

ROOT = Path(__file__).resolve().parents[2]
IMAGES = [image for image in catalog.ALL if image.base]


def instructions(image: catalog.Image) -> list[tuple[str, str]]:
    """(instruction, its arguments), with continued lines joined."""
    text = (ROOT / image.containerfile).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def values(image: catalog.Image, wanted: str) -> list[str]:
    return [rest for word, rest in instructions(image) if word == wanted]


def environment(image: catalog.Image) -> dict[str, str]:
    """The variables that the image sets, its bases' among them."""
    found: dict[str, str] = {}
    for each in reversed(list(catalog.lineage(image))):
        for line in values(each, "ENV") if each.base else []:
            found |= dict(word.split("=", 1) for word in shlex.split(line))
    return found


every_image = pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)


def test_every_containerfile_is_in_the_catalogue() -> None:
    files = sorted((ROOT / "images").glob("*/Containerfile"))
    assert sorted(ROOT / image.containerfile for image in IMAGES) == files


@every_image
def test_the_base_can_be_given(image: catalog.Image) -> None:
    (word, base), second = instructions(image)[:2]
    assert word == "ARG"
    assert base.startswith("BASE=")
    assert second == ("FROM", "${BASE}")


@every_image
def test_the_default_base_is_the_image_that_it_is_built_on_here(image: catalog.Image) -> None:
    default = values(image, "ARG")[0].removeprefix("BASE=")
    assert image.base
    ours = catalog.BY_NAME[image.base].tag
    assert default == ("python:3.11-slim-bookworm" if image.base == "debian" else ours)


@every_image
def test_it_runs_as_a_user_of_its_own(image: catalog.Image) -> None:
    assert values(image, "USER")[-1] == "10001:10001"
    changes = [i for i, (word, _) in enumerate(instructions(image)) if word in ("RUN", "COPY")]
    assert instructions(image)[max(changes) + 1 :].count(("USER", "10001:10001")) == 1


@every_image
def test_it_starts_without_a_shell(image: catalog.Image) -> None:
    [entry] = values(image, "ENTRYPOINT")
    assert json.loads(entry)[0] == "/opt/martlet/bin/python"
    assert not values(image, "CMD")


@every_image
def test_what_it_copies_is_there_and_not_ignored(image: catalog.Image) -> None:
    allowed = [
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    for path in catalog.copied((ROOT / image.containerfile).read_text()):
        assert (ROOT / path).exists()
        assert any(path == rule or Path(path).match(rule) for rule in allowed), path


@every_image
def test_all_that_is_written_goes_to_tmp(image: catalog.Image) -> None:
    given = environment(image)
    assert given["HOME"] == "/tmp"
    places = {k: v for k, v in given.items() if k.endswith(("_HOME", "_CACHE", "_DIR", "_ROOT"))}
    assert {k: v for k, v in places.items() if not v.startswith("/tmp/")} == {}


@pytest.mark.parametrize("name", ["vllm-cpu", "vllm-cuda", "lmdeploy", "sglang"])
def test_an_engine_asks_no_hub(name: str) -> None:
    assert environment(catalog.BY_NAME[name])["HF_HUB_OFFLINE"] == "1"


@pytest.mark.parametrize(("name", "package"), [("operator", "operator"), ("runtime", "runtime")])
def test_our_own_code_is_the_last_thing_copied(name: str, package: str) -> None:
    copies = values(catalog.BY_NAME[name], "COPY")
    assert copies[-1].startswith(f"{package}/martlet_{package} ")
    assert copies[-2].startswith("crds/martlet_api ")
