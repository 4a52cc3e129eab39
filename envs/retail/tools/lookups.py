"""Tools that look things up: who the customer is, their orders, the catalogue. Nothing changes.

Each takes the episode's database first; the rest of its signature and its docstring are the schema the
model sees. Keys are compared as they come: no trimming, no guessing.
"""

from envs.retail.database import Database


def find_user_id_by_email(database: Database, email: str) -> str:
    """Find a customer's user id by e-mail address. If nobody has it, look by name and zip code instead.

    Args:
        email: The customer's e-mail address, such as 'someone@example.com'.
    """
    return database.shop.user_ids_by_email.get(email.lower(), "Error: user not found")


def find_user_id_by_name_zip(database: Database, first_name: str, last_name: str, zip: str) -> str:
    """Find a customer's user id by first name, last name and zip code, where there is no e-mail address.

    Args:
        first_name: The customer's first name, such as 'Ana'.
        last_name: The customer's last name, such as 'Lopez'.
        zip: The zip code of the customer's default address, such as '12345'.
    """
    last_names = database.shop.user_ids_by_name.get(first_name.lower())
    if last_names:
        for user_id in last_names.get(last_name.lower(), ()):
            if database.users[user_id]["address"]["zip"] == zip:  # the address of now, not of opening time
                return user_id
    return "Error: user not found"


def get_user_details(database: Database, user_id: str) -> str:
    """Show a customer's profile: name, default address, e-mail, payment methods and order ids.

    Args:
        user_id: The customer's user id, such as 'ana_lopez_1234'.
    """
    if user_id not in database.users:
        return "Error: user not found"
    return database.text("users", user_id)


def get_order_details(database: Database, order_id: str) -> str:
    """Show an order: its items, address, status, fulfilment and payment history.

    Args:
        order_id: The order id with its leading '#', such as '#W1234567'.
    """
    if order_id not in database.orders:
        return "Error: order not found"
    return database.text("orders", order_id)


def get_product_details(database: Database, product_id: str) -> str:
    """Show a product with all its variants: item ids, options, price and whether each is available.

    Args:
        product_id: The product id, such as '1234567890'. It is not the id of an item.
    """
    if product_id not in database.products:
        return "Error: product not found"
    return database.text("products", product_id)


def list_all_product_types(database: Database) -> str:
    """List the name and product id of every product type in the shop."""
    return database.shop.product_types
