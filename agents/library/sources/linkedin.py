"""LinkedIn: page analytics, Content, Export. The sheet "All posts" begins with a row that explains it."""

from agents.library.sources.base import Source

SOURCE = Source(
    name="linkedin",
    title="LinkedIn page analytics, all posts",
    channel="linkedin_post",
    signature=(
        "Post title",
        "Post link",
        "Post type",
        "Posted by",
        "Created date",
        "Impressions",
        "Click through rate (CTR)",
        "Reposts",
        "Engagement rate",
    ),
    columns={
        "id": ("Post link",),
        "text": ("Post title",),
        "date": ("Created date",),
        "audience": ("Audience",),
        "format": ("Content Type",),
        "impressions": ("Impressions",),
        "clicks": ("Clicks",),
        "click_rate": ("Click through rate (CTR)",),
        "views": ("Views",),
        "likes": ("Likes",),
        "reactions": ("Reactions",),
        "comments": ("Comments",),
        "shares": ("Reposts",),
    },
    dates=("%m/%d/%Y",),
)
