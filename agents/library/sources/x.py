"""X: Premium analytics, Content, Download CSV; and the older Twitter analytics export."""

from agents.library.sources.base import Source

SOURCE = Source(
    name="x",
    title="X (Twitter) post analytics",
    channel="x_post",
    signature=("Post id", "Post text", "Impressions", "Engagements", "Likes", "Replies", "Reposts", "URL Clicks"),
    columns={
        "id": ("Post id", "Tweet id"),
        "text": ("Post text", "Tweet text"),
        "date": ("Date", "time"),
        "impressions": ("Impressions",),
        "clicks": ("URL Clicks",),
        "likes": ("Likes",),
        "comments": ("Replies",),
        # The column Shares counts uses of the share button; what others spread is a repost.
        "shares": ("Reposts", "retweets"),
    },
    dates=("%a, %b %d, %Y",),
)
