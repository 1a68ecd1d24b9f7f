"""The container image that a flow runs in."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ImageSettings(BaseModel):
    """The container image that a flow runs in, on stacks that run containers. A dict of the same keys is accepted.

    Attributes:
        base_image: the image to start from.
        requirements: PyPI requirements to install.
        dockerfile: a Dockerfile to build instead.
        build_context_root: the folder that the Dockerfile is built in.
        environment: environment variables of the container.
        apt_packages: Debian packages to install.
        replicate_local_python_environment: install what the present environment has.
        image_tag: the tag of the built image.
        target_repository: the repository that the built image is pushed to.
        user: the user that the container runs as.
        platform: for example ``linux/amd64``.

    Example:
        >>> ImageSettings(base_image="python:3.12-slim", requirements=["httpx"]).requirements
        ['httpx']
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_image: str | None = None
    requirements: list[str] | None = None
    dockerfile: str | None = None
    build_context_root: str | None = None
    environment: dict[str, str] | None = None
    apt_packages: list[str] | None = None
    replicate_local_python_environment: bool | None = None
    image_tag: str | None = None
    target_repository: str | None = None
    user: str | None = None
    platform: str | None = None
