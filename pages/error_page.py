"""The page of an error, for people whose browser asked for a page."""

from __future__ import annotations

from pages.rendering import render


def error_page(description: str, request_id: str | None = None) -> str:
    """The page of an error. The first sentence of its description is the heading.

    `request_id` finds the error in the log; without one, all pages of an error are alike.
    """
    heading, _, text = " ".join(description.split()).partition(". ")
    return render("message.html.jinja", title=heading.removesuffix("."), text=text, note=request_id)
