"""A small library, in under 100 lines all that a domain of your own has to bring: docs/custom_domain.md."""

import json
from itertools import product

from envs.domain import Domain, tools_of
from envs.retail.tasks import Action, Task
from envs.retail.tools import call
from envs.world import View, World

POLICY = """You work at the desk of a small library. Look up the member first, then the book.
A member holds at most two books. A book is lent only if it is in. Only who holds a book may renew it, and
only once. Who owes a fine may bring books back, but neither borrow nor renew."""
MEMBERS = {"M1": {"fine": "none"}, "M2": {"fine": "none"}, "M3": {"fine": "4.75"}, "M4": {"fine": "2.50"}}
BOOKS = {
    "B1": {"title": "Salt Roads", "lent_to": "", "renewed": "no"},
    "B2": {"title": "Winter Bees", "lent_to": "M1", "renewed": "no"},
    "B3": {"title": "Paper Rivers", "lent_to": "M2", "renewed": "no"},
    "B4": {"title": "Night Ferry", "lent_to": "M3", "renewed": "no"},
    "B5": {"title": "A Quiet Engine", "lent_to": "", "renewed": "no"},
}


def get_member(view: View, member_id: str) -> str:
    """Look up a member: the fine they owe, and the titles of the books they hold.

    Args:
        member_id: The member's id, such as 'M3'."""
    held = [book["title"] for book in view.books.values() if book["lent_to"] == member_id]
    return json.dumps({"fine": view.members[member_id]["fine"], "holds": held})


def find_book(view: View, title: str) -> str:
    """Find a book by its title: its id, the member it is lent to, and whether it was renewed.

    Args:
        title: The whole title, such as 'Winter Bees'."""
    found = [book_id for book_id, book in view.books.items() if book["title"] == title]
    return f"{found[0]}: {view.text('books', found[0])}" if found else "Error: no such title"


def lend_book(view: View, member_id: str, book_id: str) -> str:
    """Lend a book that is in to a member who owes nothing and holds fewer than two books.

    Args:
        member_id: The member's id, such as 'M3'.
        book_id: The book's id, such as 'B2'."""
    holds = sum(book["lent_to"] == member_id for book in view.books.values())
    allowed = not view.books[book_id]["lent_to"] and holds < 2 and view.members[member_id]["fine"] == "none"
    return _change(view, allowed, book_id, lent_to=member_id)


def renew_book(view: View, member_id: str, book_id: str) -> str:
    """Renew a book, once, for the member who holds it and owes nothing.

    Args:
        member_id: The member's id, such as 'M3'.
        book_id: The book's id, such as 'B2'."""
    held = view.books[book_id]["lent_to"] == member_id and view.books[book_id]["renewed"] == "no"
    return _change(view, held and view.members[member_id]["fine"] == "none", book_id, renewed="yes")


def return_book(view: View, member_id: str, book_id: str) -> str:
    """Take a book back from the member who holds it.

    Args:
        member_id: The member's id, such as 'M3'.
        book_id: The book's id, such as 'B2'."""
    held = view.books[book_id]["lent_to"] == member_id != ""
    return _change(view, held, book_id, lent_to="", renewed="no")


def _change(view: View, allowed: bool, book_id: str, **fields: str) -> str:
    if allowed:
        view.commit(books={book_id: view.books[book_id] | fields})
    return view.text("books", book_id) if allowed else "Error: the policy does not allow this"


WISHES = {"lend_book": "lend me", "renew_book": "renew", "return_book": "take back"}
DEEDS = dict.fromkeys(WISHES, "It is done.")
TOOLS = tools_of(reads=[get_member, find_book], writes=[lend_book, renew_book, return_book])
DOMAIN = Domain(POLICY, TOOLS, records=("book_id",), identification=("get_member",), deeds=DEEDS)
LIBRARY = World(DOMAIN, members=MEMBERS, books=BOOKS)


def library_tasks() -> list[Task]:
    """Each member's wish for each book: what a tool allows is done; who may not is told the fine they owe."""
    tasks = []
    for member_id, book_id, tool in product(MEMBERS, BOOKS, WISHES):
        fine, title = MEMBERS[member_id]["fine"], BOOKS[book_id]["title"]
        wish = Action(tool, {"member_id": member_id, "book_id": book_id})
        looks = (Action("get_member", {"member_id": member_id}), Action("find_book", {"title": title}))
        query = f"I am {member_id}. Please {WISHES[tool]} '{title}', or tell me the fine that I owe."
        split = "test" if member_id in ("M1", "M4") else "train"
        if not call(LIBRARY.open(), tool, wish.arguments).startswith("Error"):
            tasks.append(Task(f"{tool} {book_id} {member_id}", query, (*looks, wish), split=split))
        elif fine != "none" and tool == "lend_book":
            tasks.append(Task(f"{book_id} {member_id}", query, looks[:1], outputs=(fine,), split=split))
    return tasks
