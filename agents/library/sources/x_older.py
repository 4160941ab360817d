"""X under its older name: analytics.twitter.com, Tweets, Export data, by tweet."""

from dataclasses import replace

from agents.library.sources.x import SOURCE as X

SOURCE = replace(
    X,
    name="twitter",
    title="Twitter analytics, by tweet (before X)",
    signature=(
        "Tweet id",
        "Tweet permalink",
        "Tweet text",
        "time",
        "impressions",
        "engagements",
        "retweets",
        "replies",
    ),
)
