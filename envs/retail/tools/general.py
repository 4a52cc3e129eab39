"""Tools that are not about one order: the default address, thinking, arithmetic, handing over to a person."""

from envs.retail import calculator
from envs.retail.database import Database


def modify_user_address(
    database: Database,
    user_id: str,
    address1: str,
    address2: str,
    city: str,
    state: str,
    country: str,
    zip: str,
) -> str:
    """Change a customer's default address; orders keep theirs. Get the customer's explicit yes first.

    Args:
        user_id: The customer's user id, such as 'ana_lopez_1234'.
        address1: First line of the address, such as '12 Elm Street'.
        address2: Second line of the address, such as 'Apt 4'; may be empty.
        city: The city, such as 'Denver'.
        state: The state, such as 'CO'.
        country: The country, such as 'USA'.
        zip: The zip code, such as '12345'.
    """
    user = database.users.get(user_id)
    if user is None:
        return "Error: user not found"
    address = {
        "address1": address1,
        "address2": address2,
        "city": city,
        "state": state,
        "country": country,
        "zip": zip,
    }
    database.commit(users={user_id: {**user, "address": address}})
    return database.text("users", user_id)


def calculate(database: Database, expression: str) -> str:
    """Work out an arithmetic expression.

    Args:
        expression: Numbers, + - * /, parentheses and spaces only, such as '(12.5 + 3) * 2'.
    """
    return calculator.calculate(expression)


def think(database: Database, thought: str) -> str:
    """Think something through. Nothing is looked up or changed; the thought is only kept in the record.

    Args:
        thought: What to think about.
    """
    return ""


def transfer_to_human_agents(database: Database, summary: str) -> str:
    """Hand the customer over to a human agent, with a summary. Only for what no other tool can solve.

    Args:
        summary: What the customer wants and what has been done so far.
    """
    return "Transfer successful"
