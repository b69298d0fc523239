"""Who is let in: by the token, or by the cookie that it makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from img2imgd.page.access import Access


@pytest.fixture
def access(tmp_path: Path) -> Access:
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    return Access(lambda: str(token))


def own_cookie(access: Access) -> str:
    return access.cookie(secure=False).partition(";")[0]


@pytest.mark.parametrize(
    "others",
    [
        "",
        "a=b; ",
        'prefs={"wide": true}; ',
        'x="unterminated; ',
        "path=/; ",
        "expires=never; ",
        "bare; ",
        "k[0]=1; ",
        "name=ä; ",
        ";;; ",
        "img2imgd=of-another-port; ",
    ],
)
def test_cookies_of_other_programs_on_the_host_keep_nobody_out(access: Access, others: str) -> None:
    assert access.is_session(f"{others}{own_cookie(access)}")
    assert access.is_session(f"{own_cookie(access)}; {others}")


@pytest.mark.parametrize("cookies", ["", "img2imgd", "img2imgd=", "img2imgd=s3cret", "a=b"])
def test_nothing_else_is_a_session(access: Access, cookies: str) -> None:
    assert not access.is_session(cookies)
    name, _, value = own_cookie(access).partition("=")
    assert not access.is_session(f"{name.upper()}={value}")
    assert not access.is_session(f"{name}={value[:-1]}")
    assert not access.is_session(f"x{name}={value}")
