"""Meta Business Suite: Insights, Content, Export data, with Facebook posts."""

from agents.library.sources.base import Source

SOURCE = Source(
    name="facebook",
    title="Meta Business Suite, Facebook content",
    channel="facebook_post",
    signature=(
        "Post ID",
        "Page ID",
        "Page name",
        "Title",
        "Publish time",
        "Permalink",
        "Post type",
        "Reactions, comments and shares",
        "Reach",
    ),
    columns={
        "id": ("Post ID", "Video asset ID"),
        # The message of a post stands under Title; Description is filled for videos without one.
        "text": ("Title", "Description", "Post message"),
        "format": ("Post type",),
        "date": ("Publish time", "Posted"),
        "impressions": ("Impressions",),
        "views": ("Views", "3-second video views"),
        # All clicks count photo views and "see more" too, so link clicks come first.
        "clicks": ("Link clicks", "Total clicks"),
        "reactions": ("Reactions",),
        "comments": ("Comments",),
        "shares": ("Shares",),
        "exposure": ("Reach",),
    },
    dates=("%m/%d/%Y %H:%M",),
)
