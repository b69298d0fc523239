"""What a person is told when the hub, or the disk that it is cached on, does not give a model."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from img2imgd.errors import EnvironmentFault

if TYPE_CHECKING:
    from img2imgd.hub.client import Hub
    from img2imgd.hub.source import HubSource


class HubFault(EnvironmentFault):
    """Files of the hub that cannot be had now. The message names the repository, not the model."""


_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR)


def explain(hub: Hub, source: HubSource, error: Exception) -> HubFault | None:
    """What to tell of an error that was raised while ``source`` was asked for; None: not known.

    A wrong id or revision is looked up on the hub, to name what may have been meant.
    """
    for cause in _causes(error):
        if isinstance(cause, HubFault):
            return cause
        fault = (
            _of_repository(hub, source, cause) or _of_network(hub, cause) or _of_disk(hub, cause)
        )
        if fault is not None:
            return fault
    return None


def _of_repository(hub: Hub, source: HubSource, cause: BaseException) -> HubFault | None:
    from huggingface_hub import errors

    match cause:
        case errors.GatedRepoError():
            return _gated(hub, source)
        case errors.RepositoryNotFoundError() | errors.HFValidationError():
            return _not_found(hub, source)
        case errors.RevisionNotFoundError():
            return _no_revision(hub, source)
        case errors.DisabledRepoError():
            return HubFault(f"{source.repo} has been disabled on the hub.", "Take another model.")
        case errors.RemoteEntryNotFoundError():
            return HubFault(
                f"{source.repo} lists a file that it does not hold.",
                "Try again later, or take another revision of it.",
            )
        case errors.HfHubHTTPError():
            return _of_answer(hub, source, cause.response.status_code)
        case _:
            return None


def _gated(hub: Hub, source: HubSource) -> HubFault:
    page = f"{hub.endpoint}/{source.repo}"
    if hub.token is None:
        return HubFault(
            f"{source.repo} is gated: it is given only to those who accepted its terms.",
            f"Accept them at {page}, make a token that may read at {hub.endpoint}/settings/tokens, "
            "and set it as HF_TOKEN.",
        )
    return HubFault(
        f"{source.repo} is gated, and the account of your token may not read it.",
        f"Accept its terms at {page} with the account that the token is of. Some owners look at "
        "each request first. A fine-grained token needs the right to read gated repositories.",
    )


def _not_found(hub: Hub, source: HubSource) -> HubFault:
    near = hub.near_ids(source.repo)
    private = (
        "or it is private: then set HF_TOKEN"
        if hub.token is None
        else "or it is private, and the account of your token may not read it"
    )
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    return HubFault(
        f"there is no {source.repo}, neither as a folder here nor on the Hugging Face hub "
        f"({private}).",
        f"{meant}Correct the source in the models table.",
    )


def _no_revision(hub: Hub, source: HubSource) -> HubFault:
    found = hub.near_revisions(source)
    return HubFault(
        f"{source.repo} has no revision {source.revision!r}.",
        (f"It has {', '.join(found)}. " if found else "")
        + "Correct `revision` in the models table, or take it out for the newest state.",
    )


def _of_answer(hub: Hub, source: HubSource, status: int) -> HubFault:
    if status == 404:
        return _not_found(hub, source)
    if status == 401:
        return HubFault(
            f"the hub does not accept the token that it was sent for {source.repo}.",
            f"Make a new one at {hub.endpoint}/settings/tokens and set it as HF_TOKEN, or unset "
            "HF_TOKEN if the model needs none.",
        )
    if status == 403:
        return HubFault(
            f"the hub forbids reading {source.repo}.",
            "Use a token that may read it; a fine-grained one names the repositories it may read.",
        )
    if status == 429:
        return HubFault(
            "the hub has answered too many requests of this machine, and asks to wait.",
            "Try again in a few minutes. With a token in HF_TOKEN it allows more.",
        )
    if status >= 500:
        return HubFault(
            f"the hub has a fault of its own (HTTP {status}).",
            "Try again later; what is downloaded stays. https://status.huggingface.co tells more.",
        )
    return HubFault(
        f"the hub refused a request for {source.repo} (HTTP {status}).",
        f"See whether {hub.endpoint}/{source.repo} opens in a browser.",
    )


def _of_network(hub: Hub, cause: BaseException) -> HubFault | None:
    import httpx2
    from huggingface_hub import errors

    match cause:
        case errors.OfflineModeIsEnabled():
            return HubFault(
                "the Hugging Face library is set to offline.",
                "Unset HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE to download.",
            )
        case errors.FileMetadataError() | json.JSONDecodeError():
            return HubFault(
                f"{hub.endpoint} does not answer as the hub does.",
                "Look at HF_ENDPOINT, and for a proxy or a login page in between.",
            )
        case httpx2.ProxyError():
            return HubFault(
                "the proxy does not let the request through.",
                "Look at HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY.",
            )
        case httpx2.TimeoutException():
            return HubFault(
                f"{hub.endpoint} does not answer in time.",
                "Try again later; what is downloaded stays. For a slow line, set "
                "HF_HUB_DOWNLOAD_TIMEOUT=60.",
            )
        case httpx2.ConnectError():
            return HubFault(f"{hub.endpoint} cannot be reached ({_reason(cause)}).",
                            _on_connecting(str(cause)))  # fmt: skip
        case httpx2.TransportError():
            return HubFault(
                f"the connection to {hub.endpoint} was cut.",
                "Try again; what is downloaded stays, and the download goes on from there.",
            )
        case _:
            return None


def _on_connecting(text: str) -> str:
    if "CERTIFICATE" in text.upper():
        return "The certificate is not trusted here: set SSL_CERT_FILE to your organisation's."
    return (
        "See to the network, DNS and proxy of this machine, or copy the model here: "
        "docs/operations.md says how."
    )


def _of_disk(hub: Hub, cause: BaseException) -> HubFault | None:
    if not isinstance(cause, OSError) or cause.errno is None:
        return None
    if cause.errno in _FULL:
        return HubFault(
            f"the disk of {hub.cache} is full.",
            "Free some space and try again: what is downloaded stays. HF_HOME moves the cache.",
        )
    if cause.errno in _NOT_WRITABLE:
        return HubFault(
            f"the cache {hub.cache} cannot be written ({os.strerror(cause.errno)}).",
            "Set HF_HOME to a folder that this user may write, or see to the owner of this one.",
        )
    return HubFault(f"the cache {hub.cache} cannot be used: {_reason(cause)}.", "See to that disk.")


def _reason(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
