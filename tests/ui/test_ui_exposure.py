"""Where the app may listen, and who is let in by a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from lcbm_model.errors import SettingsError
from ui.auth import check_exposure, hash_password, read_auth_file


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_loopback_needs_no_guard(host: str) -> None:
    check_exposure(host, guarded=False, allow_open=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org"])
def test_a_network_needs_a_guard_or_a_word(host: str) -> None:
    with pytest.raises(SettingsError, match="--allow-open"):
        check_exposure(host, guarded=False, allow_open=False)
    check_exposure(host, guarded=True, allow_open=False)
    check_exposure(host, guarded=False, allow_open=True)


def test_the_auth_file_lets_its_users_in_and_nobody_else(tmp_path: Path) -> None:
    file = tmp_path / "users.txt"
    file.write_text(f"# team\nanna:plain:word\nbert:{hash_password('secret')}\n")
    check = read_auth_file(file)
    with_mark = tmp_path / "saved_by_an_editor.txt"
    with_mark.write_text("anna:plain:word\n", encoding="utf-8-sig")
    assert read_auth_file(with_mark)("anna", "plain:word")
    assert check("anna", "plain:word")
    assert check("bert", "secret")
    assert not check("bert", "wrong")
    assert not check("anna", "")
    assert not check("carl", "secret")


@pytest.mark.parametrize("text", ["", "# nobody\n", "anna\n", ":x\n", "anna:\n", "anna:scrypt$zz$zz\n"])
def test_a_wrong_auth_file_is_refused_without_showing_its_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "users.txt").write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_auth_file(tmp_path / "users.txt")
    assert "scrypt$zz" not in str(caught.value)
