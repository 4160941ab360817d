"""YouTube Studio: Analytics, Advanced mode, Export, "Table data.csv". Its first row is the total of the channel."""

from agents.library.sources.base import Source

SOURCE = Source(
    name="youtube",
    title="YouTube Studio, table of videos",
    channel="video",
    signature=(
        "Content",
        "Video title",
        "Video publish time",
        "Views",
        "Watch time (hours)",
        "Impressions",
        "Impressions click-through rate (%)",
    ),
    columns={
        "id": ("Content", "Video"),
        "text": ("Video title",),
        "date": ("Video publish time",),
        "impressions": ("Impressions",),
        "click_rate": ("Impressions click-through rate (%)",),
        "views": ("Views",),
        "likes": ("Likes",),
        "comments": ("Comments added",),
        "shares": ("Shares",),
    },
    percent=("Impressions click-through rate (%)",),
    dates=("%b %d, %Y",),
)
