"""Ten hand-written briefs with honest rewrites and false drafts; names and figures are slots that `POOLS` fill."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Template:
    message: str
    draft: str
    good: tuple[str, ...]
    bad: tuple[tuple[str, str], ...]
    must_keep: tuple[str, ...] = ()
    sender: str = "{brand}"
    channel: str = "post"
    slots: dict[str, tuple[str, ...]] = field(default_factory=dict)


POOLS: dict[str, tuple[str, ...]] = {
    "brand": ("Kupferhain", "Ostholt", "Brennwerk", "Lindqvist", "Marrow", "Tellerby", "Quillon", "Havenport", "Sorrel",
              "Nordmark"),
    "person": ("Anna Berg", "Marta Ohlsen", "Lena Holm", "Ida Falk", "Nora Winter", "Klara Stein", "Ruth Adeyemi",
               "Mina Castell", "Elin Sand", "Vera Lund"),
    "other": ("Jan Reuter", "Tomas Vogel", "Omar Haddad", "Piet Kramer", "Luis Ortega", "Igor Pavlik", "Sven Dahl",
              "Hugo Marais", "Emil Rask", "Tarek Aziz"),
    "stranger": ("Ramirez", "Oyelaran", "Petrov", "Schneider", "Takahashi", "Moreau", "Kowalski", "Brown", "Hansen",
                 "Okafor"),
    "place": ("Hamborn", "Lisse", "Ostrava", "Velden", "Marnick", "Tolland", "Arnsee", "Breva", "Calder", "Dunmore"),
    "far": ("Gorleben", "Sintra", "Kaunas", "Ghent", "Bergamo", "Leiden", "Tartu", "Cork", "Aarhus", "Basel"),
    "price": ("149", "59", "24.90", "1,250", "18", "399", "75", "12.50", "640", "89"),
    "wrong": ("99", "49", "19.90", "1,150", "13", "299", "55", "10.50", "540", "69"),
    "n": ("9", "14", "28", "32", "45", "16", "21", "37", "52", "65"),
    "m": ("7", "11", "23", "40", "50", "13", "19", "33", "48", "60"),
    "words": ("ninety-three", "forty-one", "seventeen", "eighty", "fifty-six", "ninety", "seventy-two", "eighty-four",
              "thirty-one", "ninety-nine"),
    "date": ("3 June", "12 May", "27 August", "9 March", "1 October", "18 July", "30 April", "6 November", "22 January",
             "14 February"),
    "shifted": ("4 June", "13 May", "28 August", "3 September", "2 October", "16 July", "29 April", "16 November",
                "22 February", "15 February"),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday",
            "Friday"),
    "nextday": ("Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "Monday", "Wednesday", "Friday",
                "Thursday"),
    "slug": ("pans", "trains", "offer", "garden", "spring", "tools", "visit", "join", "course", "sale"),
}  # fmt: skip
"""Slot name to ten fillings; fill i takes the i-th of each."""

FIRST: tuple[Template, ...] = (
    Template(
        message="Our new {n} cm copper pan from {brand} browns onions in {m} minutes because copper spreads heat "
        "evenly. It costs {price} euros.",
        draft="The new {n} cm copper pan browns onions in {m} minutes",
        must_keep=("{m} minutes",),
        channel="headline",
        good=(
            "Onions, golden in {m} minutes",
            "Why does copper brown onions in {m} minutes?",
            "{brand}'s copper pan: brown onions in {m} minutes",
            "In {m} minutes the onions are brown, because copper spreads heat evenly",
            "For {price} euros, onions brown in {m} minutes",
            "Even heat. Brown onions. {m} minutes.",
        ),
        bad=(
            ("number", "Onions, golden in 3 minutes"),
            ("unit", "Onions brown in {m} seconds, not {m} minutes"),
            ("unit", "The new {n} inch copper pan: onions in {m} minutes"),
            ("bound", "Onions brown in less than {m} minutes"),
            ("bound", "Brown onions in under {m} minutes"),
            ("counted thing", "{n} reasons why onions brown in {m} minutes"),
            ("counted thing", "{price} cooks brown onions in {m} minutes"),
            ("swapped numbers", "The {m} cm pan that needs {n} minutes, or was it {m} minutes"),
            ("negation", "The pan that does not brown onions in {m} minutes"),
            ("superlative", "The best copper pan browns onions in {m} minutes"),
        ),
    ),
    Template(
        message="From {date} the night train from {place} to {far} runs every day. A bed costs {price} euros and "
        "breakfast is included.",
        draft="The night train from {place} to {far} runs daily from {date}",
        must_keep=("{date}",),
        good=(
            "From {date}: fall asleep in {place}, wake up in {far}.",
            "Every day from {date}, a train carries you from {place} to {far} while you sleep.",
            "A bed to {far} for {price} euros, breakfast included, from {date} on.",
            "Why fly? From {date} the night train takes you from {place} to {far}.",
            "From {date}, breakfast comes with the bed. Next stop: {far}.",
        ),
        bad=(
            ("date", "From {shifted}: fall asleep in {place}, wake up in {far}."),
            ("date", "From {date}, and on {shifted} even for {price} euros."),
            ("swapped places", "From {date}, the night train from {far} to {place} runs every day."),
            ("price", "A bed to {far} for {wrong} euros from {date}."),
            ("currency", "A bed to {far} for {price} dollars from {date}."),
            ("name", "From {date} the night train stops in Vienna."),
            ("claim", "Free breakfast from {date} on the night train to {far}."),
            ("frequency", "From {date} the train to {far} runs twice a day."),
            ("year", "From {date} 2019 the night train runs to {far}."),
        ),
    ),
    Template(
        message="{person} interviewed {other} about the {n} hives on the roof of the {brand} brewery.",
        draft="{person} interviewed {other} about the hives on the roof",
        must_keep=("{person}", "{other}"),
        sender="{brand}",
        good=(
            "Hives on a roof? {person} interviewed {other}.",
            "{other} was interviewed by {person}: what bees do on a brewery roof.",
            "What do {n} hives do on a roof? {person} interviewed {other}.",
            "{person} and {other} talk about bees on the {brand} roof.",
            "Bees above the beer: {person} interviewed {other} about {n} hives.",
        ),
        bad=(
            ("swapped names", "{other} interviewed {person} about the hives on the roof."),
            ("swapped names", "{person} was interviewed by {other} about the hives."),
            ("swapped names", "Hives on a roof: why {other} interviewed {person}."),
            ("dropped name", "{person} interviewed a beekeeper about the hives on the roof."),
            ("name", "{person} interviewed {other} and {stranger} about the hives."),
            ("name", "{stranger} says it too: {person} interviewed {other}."),
            ("number", "{person} interviewed {other} about {m} hives."),
            ("quote", "{person} interviewed {other}, who won an award for his honey."),
        ),
    ),
    Template(
        message="Save up to {n} % on garden tools until {date} at https://{slug}.example/garden/{slug}",
        draft="Up to {n} % off garden tools: https://{slug}.example/garden/{slug}",
        must_keep=("https://{slug}.example/garden/{slug}", "{n} %"),
        good=(
            "Garden tools, up to {n} % less: https://{slug}.example/garden/{slug}",
            "Spades and rakes? Up to {n} % off garden tools until {date} https://{slug}.example/garden/{slug}",
            "Until {date} you save up to {n} % on garden tools. https://{slug}.example/garden/{slug}",
            "Your garden can wait no longer. Save up to {n} %: https://{slug}.example/garden/{slug}",
        ),
        bad=(
            ("bound", "Save {n} % on garden tools: https://{slug}.example/garden/{slug}"),
            ("bound", "Save at least {n} % on tools: https://{slug}.example/garden/{slug}"),
            ("percent or points", "Up to {n} percentage points less: https://{slug}.example/garden/{slug}, {n} %"),
            ("link path", "Garden tools, up to {n} % less: https://{slug}.example/garden/{slug}/win"),
            ("link path", "Garden tools, up to {n} % less: https://{slug}.example/{slug}"),
            ("link host", "Garden tools, up to {n} % less: https://{slug}.example.net/garden/{slug}"),
            ("dropped link", "Garden tools, up to {n} % less until {date}"),
            ("second link", "Up to {n} %: https://{slug}.example/garden/{slug} or {slug}-deals.shop/now"),
            ("hidden link", "Up to {n} %: https://{slug}.example/garden/{slug} or {slug} dot com"),
            ("date", "Until {shifted} up to {n} % off: https://{slug}.example/garden/{slug}"),
            ("claim", "Up to {n} % off everything, guaranteed: https://{slug}.example/garden/{slug}"),
            ("number", "Up to {m} % off, {n} % for members: https://{slug}.example/garden/{slug}"),
        ),
    ),
    Template(
        message="The small basket costs {wrong} euros, the large basket {price} euros. Both are woven in {place}.",
        draft="The small basket costs {wrong} euros, the large one {price} euros",
        good=(
            "Woven in {place}: the large basket for {price} euros.",
            "{wrong} euros for the small basket, {price} euros for the large one.",
            "A small basket from {place} costs {wrong} euros.",
            "Small or large? Baskets woven in {place}, from a small one for {wrong} euros.",
            "Two baskets, woven in {place}.",
        ),
        bad=(
            ("swapped prices", "The small basket costs {price} euros, the large one {wrong} euros."),
            ("swapped prices", "The large basket for {wrong} euros, woven in {place}."),
            ("swapped prices", "{price} euros for the small basket, {wrong} euros for the large one."),
            ("price", "The small basket costs 3 euros."),
            ("place", "The large basket for {price} euros, woven in {far}."),
            ("claim", "Handwoven by award-winning weavers in {place}."),
            ("number words", "{words} weavers in {place} make our baskets."),
        ),
    ),
    Template(
        message="Our oat drink contains no added sugar and no nuts. It is not suitable for babies. A litre costs "
        "{price} dollars.",
        draft="The oat drink with no added sugar and no nuts",
        good=(
            "No nuts, no added sugar: just oats.",
            "Oats, and no added sugar.",
            "An oat drink without nuts, for {price} dollars a litre.",
            "What is left when there is no added sugar? Oats.",
            "Not suitable for babies. Fine in your coffee.",
            "Oat drink for {price} dollars. No nuts inside.",
        ),
        bad=(
            ("negation", "The oat drink with added sugar and oats."),
            ("negation", "Our oat drink contains nuts and oats."),
            ("negation", "The oat drink that is suitable for babies."),
            ("negation", "Oats, nuts and a litre for {price} dollars."),
            ("price", "Oat drink, {wrong} dollars a litre."),
            ("currency", "Oat drink, {price} pounds a litre."),
            ("claim", "The oat drink doctors recommend."),
            ("claim", "Gluten-free oat drink without added sugar."),
            ("claim", "Clinically proven: oats without added sugar."),
        ),
    ),
    Template(
        message="{person} beat {other} by {n} votes in the council of {place}. She takes office on {day}.",
        draft="{person} beat {other} by {n} votes",
        must_keep=("{n} votes",),
        channel="headline",
        good=(
            "{person} won by {n} votes",
            "By {n} votes: {person} beat {other}",
            "{other} lost to {person} by {n} votes",
            "{n} votes decided it in {place}",
            "{person} takes office on {day} after a win by {n} votes",
        ),
        bad=(
            ("swapped names", "{other} beat {person} by {n} votes"),
            ("swapped names", "{person} was beaten by {other} by {n} votes"),
            ("swapped names", "By {n} votes, {other} beat {person} in {place}"),
            ("weekday", "{person} takes office on {nextday} after winning by {n} votes"),
            ("number", "{person} beat {other} by {m} votes"),
            ("unit", "{person} beat {other} by {n} % and {n} votes"),
            ("bound", "{person} beat {other} by more than {n} votes"),
            ("place", "By {n} votes: the council of {far} decides"),
        ),
    ),
    Template(
        message="The museum opens at 10:30 am and closes at 6 pm on {day}. Tickets cost {price} euros at "
        "{slug}-museum.org/tickets",
        draft="Open on {day} from 10:30 am to 6 pm",
        must_keep=("{slug}-museum.org/tickets",),
        good=(
            "On {day} we open at 10:30 am. Tickets: {slug}-museum.org/tickets",
            "Your {day}, 10:30 am, in front of a painting. {slug}-museum.org/tickets",
            "Open on {day} until 6 pm. {price} euros at {slug}-museum.org/tickets",
            "{price} euros and a whole {day} of art: {slug}-museum.org/tickets",
        ),
        bad=(
            ("time", "On {day} we open at 10:30 pm. Tickets: {slug}-museum.org/tickets"),
            ("time", "On {day} we open at 9:30 am. Tickets: {slug}-museum.org/tickets"),
            ("time", "Open on {day} until 6 am. {slug}-museum.org/tickets"),
            ("weekday", "On {nextday} we open at 10:30 am. {slug}-museum.org/tickets"),
            ("link path", "On {day} we open at 10:30 am: {slug}-museum.org/ticket"),
            ("link host", "On {day} we open at 10:30 am: {slug}-museums.org/tickets"),
            ("claim", "Free entry on {day}: {slug}-museum.org/tickets"),
            ("time words", "Tomorrow we open at 10:30 am: {slug}-museum.org/tickets"),
        ),
    ),
    Template(
        message="In a test with {n} nurses, the {brand} chair reduced back pain by {m} percent within eight weeks.",
        draft="{n} nurses tested the {brand} chair",
        must_keep=("{n} nurses",),
        good=(
            "{n} nurses sat down. Back pain fell by {m} percent.",
            "Eight weeks, {n} nurses, {m} percent less back pain.",
            "What did {n} nurses feel after eight weeks in the {brand} chair?",
            "{brand} asked {n} nurses to sit. Their back pain fell by {m} %.",
            "Less back pain for {n} nurses",
        ),
        bad=(
            ("percent or points", "{n} nurses: back pain fell by {m} percentage points."),
            ("claim", "The chair that cures back pain, tested by {n} nurses."),
            ("claim", "{n} nurses: the clinically proven chair."),
            ("claim", "Doctors recommend what {n} nurses tested."),
            ("number", "{n} nurses: back pain fell by 80 percent."),
            ("unit", "After eight days, {n} nurses felt better."),
            ("number words", "After two weeks, {n} nurses felt better."),
            ("multiple", "{n} nurses: half the back pain."),
            ("swapped numbers", "{m} nurses felt {n} percent less pain, out of {n} nurses."),
            ("bound", "{n} nurses: back pain fell by over {m} percent."),
        ),
    ),
    Template(
        message="Send us your worn jeans until {date}. We turn them into bags. You get a voucher for {price} pounds.",
        draft="Send in worn jeans, get a voucher for {price} pounds",
        must_keep=("{price} pounds",),
        good=(
            "Your worn jeans are worth {price} pounds.",
            "A bag for somebody, {price} pounds for you: send us your jeans until {date}.",
            "Too worn to wear? We give you {price} pounds for old jeans.",
            "Don't bin your jeans. They become bags, you get {price} pounds.",
            "Until {date}: old jeans in, {price} pounds out.",
        ),
        bad=(
            ("currency", "Your worn jeans are worth {price} dollars or {price} pounds."),
            ("price", "Your worn jeans are worth {wrong} pounds."),
            ("bound", "Your worn jeans are worth up to {price} pounds."),
            ("bound", "Jeans in, at least {price} pounds out."),
            ("date", "Until {shifted}: {price} pounds for jeans."),
            ("weekday", "Only until {day}: {price} pounds for jeans."),
            ("claim", "Free bags and {price} pounds for your jeans."),
            ("claim", "Limited offer: {price} pounds for jeans."),
        ),
    ),
)
