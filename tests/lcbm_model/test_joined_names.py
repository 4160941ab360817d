"""Names joined by "+", in either order, and with an address behind "@", where parts hold these signs themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from lcbm_model.errors import SettingsError
from lcbm_model.simulator import EnsembleSimulator, OpenAICompatibleSimulator, load_simulator
from lcbm_model.simulator.joined import at_address, names_of
from tests.lcbm_model.tiny_model import write_tiny_model

SHIPPED = "lcbm-smol-a"
ADDRESS = "openai:m@http://h:8000/v1"


@pytest.mark.parametrize(
    "names",
    [
        [SHIPPED, "lcbm-smol-b"],
        [ADDRESS, SHIPPED],
        [SHIPPED, ADDRESS],
        [ADDRESS, "openai:other@http://h:8001/v1/", "vllm:@http://h/v1", "embedded-untuned"],
        [ADDRESS, "owner/model", "vllm:owner/other", "owner/third"],
        ["openai:m", SHIPPED],
        ["openai:m@http://h/a+b/v1", SHIPPED],
        ["openai:m@http://h/a+b/c?d=e+f"],
        ["openai:a+b@http://h/v1"],
        ["vllm:some/a+b@http://h/v1", SHIPPED],
        [SHIPPED, "mistyped"],
        [SHIPPED, ""],
    ],
)
def test_a_plus_parts_names_and_not_addresses(names: list[str]) -> None:
    assert names_of("+".join(names)) == names
    assert names_of(" + ".join(names)) == names


def test_a_plus_in_a_folder_parts_nothing(tmp_path: Path) -> None:
    for folder in ("run", "run+more", "c++"):
        (tmp_path / folder).mkdir()
    names = [str(tmp_path / "run+more"), SHIPPED, str(tmp_path / "c++"), ADDRESS, str(tmp_path / "run")]
    assert names_of("+".join(names)) == names


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("m@http://h/v1", "m", "http://h/v1"),
        ("m@2026@https://h/v1", "m@2026", "https://h/v1"),
        ("m@http://user:password@h/v1", "m", "http://user:password@h/v1"),
        ("@http://h/v1", "", "http://h/v1"),
        ("runs/a@b", "runs/a@b", ""),
    ],
)
def test_a_name_and_its_address_may_hold_the_sign_between_them(text: str, name: str, address: str) -> None:
    assert at_address(text) == (name, address)


def test_what_is_no_address_is_told() -> None:
    with pytest.raises(SettingsError, match=r"is no http\(s\) address .*localhost:8000/v1"):
        load_simulator("openai:m@localhost:8000/v1")


@pytest.mark.parametrize("first", [True, False])
def test_an_endpoint_and_a_checkpoint_give_their_mean_in_either_order(first: bool, tmp_path: Path) -> None:
    folder = str(write_tiny_model(tmp_path / "a+b"))
    names = ["openai:m@http://127.0.0.1:9/v1", folder]
    found = load_simulator("+".join(names if first else names[::-1]), device="cpu")
    assert isinstance(found, EnsembleSimulator)
    endpoint, local = found.members if first else found.members[::-1]
    assert isinstance(endpoint, OpenAICompatibleSimulator)
    assert local.identity == load_simulator(folder, device="cpu").identity
    assert endpoint.identity == load_simulator(names[0]).identity


def test_an_unknown_member_is_named() -> None:
    with pytest.raises(SettingsError, match=r"unknown model .*'mistyped'"):
        load_simulator(f"{ADDRESS}+{SHIPPED}+mistyped", device="cpu")
