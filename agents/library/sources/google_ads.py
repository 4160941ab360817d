"""Google Ads: Ads, Download. Two title lines come first, rows of totals last; " --" stands for nothing."""

from agents.library.sources.base import Source

SOURCE = Source(
    name="google-ads",
    title="Google Ads, ads report",
    channel="advert",
    signature=("Campaign", "Ad group", "Ad type", "Headline 1", "Description 1", "Final URL", "Impr.", "Clicks", "CTR"),
    columns={
        "id": ("Ad ID",),
        "text": ("Ad name", "Ad"),
        "date": ("Day",),
        "impressions": ("Impr.", "Impressions"),
        "clicks": ("Clicks", "Interactions"),
        "click_rate": ("CTR", "Interaction rate"),
        "conversions": ("Conversions",),
        "conversion_rate": ("Conv. rate",),
        "views": ("TrueView views", "Views"),
    },
    joined={
        "text": (
            "Headline",
            *(f"Headline {i}" for i in range(1, 16)),
            "Long headline",
            "Description",
            *(f"Description {i}" for i in range(1, 5)),
        )
    },
)
