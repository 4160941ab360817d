"""Mailchimp: Campaigns or Reports, Export. One row a campaign; the subject line is what is learned from."""

from agents.library.sources.base import Source

SOURCE = Source(
    name="mailchimp",
    title="Mailchimp campaign report",
    channel="email_subject",
    signature=(
        "Subject",
        "List",
        "Send Date",
        "Total Recipients",
        "Successful Deliveries",
        "Unique Opens",
        "Open Rate",
        "Unique Clicks",
        "Click Rate",
        "Abuse Complaints",
    ),
    columns={
        "id": ("Unique Id", "Campaign ID"),
        "text": ("Subject",),
        "date": ("Send Date",),
        "audience": ("List", "Audience"),
        "sends": ("Successful Deliveries", "Total Recipients"),
        "opens": ("Unique Opens",),
        "open_rate": ("Open Rate",),
        "click_rate": ("Click Rate",),
        "exposure": ("Successful Deliveries", "Total Recipients"),
    },
    dates=("%b %d, %Y %I:%M %p", "%b %d, %Y, %I:%M %p", "%m/%d/%y %I:%M %p", "%m/%d/%Y %H:%M"),
)
