"""Meta Business Suite: Insights, Content, Export data, with Instagram posts."""

from agents.library.sources.base import Source

SOURCE = Source(
    name="instagram",
    title="Meta Business Suite, Instagram content",
    channel="instagram_post",
    signature=(
        "Post ID",
        "Account ID",
        "Account username",
        "Account name",
        "Description",
        "Publish time",
        "Permalink",
        "Post type",
        "Saves",
        "Reach",
    ),
    columns={
        "id": ("Post ID",),
        "text": ("Description",),
        "format": ("Post type",),
        "date": ("Publish time",),
        "impressions": ("Impressions",),
        "views": ("Views",),
        "likes": ("Likes",),
        "comments": ("Comments",),
        "shares": ("Shares",),
        "exposure": ("Reach",),
    },
    dates=("%m/%d/%Y %H:%M",),
)
