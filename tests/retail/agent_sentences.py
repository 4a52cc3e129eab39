"""What agents say to a customer, and which of the known things a customer then tells."""

from envs.retail.customer import ScriptedCustomer
from envs.retail.environment import STOP
from envs.retail.tasks import Task

FACTS = {
    "name": "Ana Lopez",
    "zip": "98765",
    "email": "ana.lopez1111@example.com",
    "order_ids": ["#W1234567"],
    "reason": "no longer needed",
    "payment_method": "my PayPal account (paypal_1234567)",
    "address": "12 Oak St, Apt 3, Austin, TX 78701, USA",
    "items": "the red shirt, for a blue one in size M",
}
QUERY = "I'd like to cancel my order."
NAME, ZIP, EMAIL = "Ana Lopez", "98765", "ana.lopez1111@example.com"
ORDER, REASON, PAYMENT = "#W1234567", "no longer needed", "paypal_1234567"
ADDRESS, ITEMS, YES = "12 Oak St", "the red shirt", "Yes, please go ahead."
UNKNOWN = "at hand"
EVERYTHING = {NAME, ZIP, EMAIL, ORDER, REASON, PAYMENT, ADDRESS, ITEMS, YES, UNKNOWN, QUERY, STOP}


def customer(query: str = QUERY, **facts) -> ScriptedCustomer:
    scripted = ScriptedCustomer()
    scripted.reset(Task("t", query, (), facts=facts))
    return scripted


def said(reply: str) -> set[str]:
    """Which of the known things a reply tells."""
    return {thing for thing in EVERYTHING if thing.lower() in reply.lower()}


SENTENCES = [
    # who are you
    ("Could you please provide your email, or your name and zip code?", {EMAIL, NAME, ZIP}),
    ("To get started, I need to verify your identity.", {EMAIL, NAME, ZIP}),
    ("Before we continue, please verify the email on the account.", {EMAIL}),
    ("Could you please confirm your e\u2011mail address on file?", {EMAIL}),
    ("May I have your first name, last name, and zip?", {NAME, ZIP}),
    ("Name and zip please.", {NAME, ZIP}),
    ("Please confirm your name and zip code.", {NAME, ZIP}),
    ("Email?", {EMAIL}),
    ("Could you provide your user ID?", {UNKNOWN}),
    ("I couldn't find an account with that email. Could you provide your name and zip code?", {NAME, ZIP}),
    ("I could not find your account.", {NAME, ZIP, EMAIL}),
    ("<|channel|>final<|message|>Could you tell me your email?<|end|>", {EMAIL}),
    # a wrong statement about who one is gets the right one, not a yes
    ("Is your zip code 99999, correct?", {ZIP}),
    ("Can you confirm that your email is mallory@example.com?", {EMAIL}),
    # several things at once
    ("Please provide:\n1. Your full name\n2. Your zip code\n3. The order number", {NAME, ZIP, ORDER}),
    ("Please share:\n- **Email**\n- **Order ID**\n- **Reason** (no longer needed / ordered by mistake)",
     {EMAIL, ORDER, REASON}),
    ("Please provide your name, zip code, order ID and the refund method.", {NAME, ZIP, ORDER, PAYMENT}),
    ("You have two orders: #W1234567 and #W2345678. Which order would you like to cancel, and why?",
     {ORDER, REASON}),
    ("Please confirm the order number and the reason.", {ORDER, REASON}),
    ("Please confirm the following:\n1. The order number\n2. The reason (no longer needed or by mistake)",
     {ORDER, REASON}),
    # the order
    ("Thank you for providing your email. Can you tell me the order number?", {ORDER}),
    ("Thank you, Ana. I have found your account. Which order is this about?", {ORDER}),
    ("I need the order number to continue.", {ORDER}),
    ("Do you know your order ID? If not, I can look it up.", {ORDER}),
    ("order id pls", {ORDER}),
    ("I'm afraid I cannot proceed without your order number.", {ORDER}),
    # the reason
    ("Could you tell me the reason for the cancellation: no longer needed or ordered by mistake?", {REASON}),
    ("May I ask why you want to cancel?", {REASON}),
    ("What is the reason: is the order no longer needed, or was it ordered by mistake?", {REASON}),
    # the payment method
    ("Which payment method would you like to use for the refund?", {PAYMENT}),
    ("How would you like to pay the price difference?", {PAYMENT}),
    ("Would you like the refund to go to your original payment method or to a gift card?", {PAYMENT}),
    ("Would you like a refund to your credit card ending in 1234?", {PAYMENT}),
    ("Which card should the refund go to?", {PAYMENT}),
    ("PayPal (paypal_1234567) and a gift card are on file. Which one would you like to use?", {PAYMENT}),
    ("In order to modify the order I need to know your preferred payment method.", {PAYMENT}),
    # the address, whose zip code is not the customer's own
    ("Could you please provide the full new shipping address?", {ADDRESS}),
    ("What is the full address?", {ADDRESS}),
    ("What is the new address? Please include street, city, state, country and zip code.", {ADDRESS}),
    # the items
    ("Which items would you like to exchange, and what new options would you like?", {ITEMS}),
    ("What would you like to exchange it for?", {ITEMS}),
    ("What size and color would you like?", {ITEMS}),
    ("Which options would you like instead?", {ITEMS}),
    ("Which items is this about?", {ITEMS}),
    ("The available options are: blue M, green L. Which one do you prefer?", {ITEMS}),
    # yes or no
    ("To proceed please confirm (yes/no): cancel order #W1234567, reason no longer needed, refund to PayPal.",
     {YES}),
    ("Please confirm that you would like to cancel order #W1234567 because it is no longer needed.", {YES}),
    ("Please confirm:\n- Order: #W1234567\n- Reason: no longer needed\n- Refund: paypal_1234567", {YES}),
    ("Do you confirm (yes/no)?", {YES}),
    ("Please reply YES to confirm.", {YES}),
    ("Should I cancel it? Please answer with yes or no.", {YES}),
    ("Would you like me to cancel order #W1234567?", {YES}),
    ("Just to confirm, you want to return the lamp?", {YES}),
    ("The difference of $5.00 will be charged to paypal_1234567. Shall I go ahead?", {YES}),
    ("Do I have your permission to proceed with the cancellation?", {YES}),
    ("Once modified, the order cannot be changed or cancelled. Do you want to proceed? (yes/no)", {YES}),
    ("Which payment method would you like, and do you confirm the cancellation (yes/no)?", {PAYMENT, YES}),
    ("I am about to return items of order #W1234567, with the refund to paypal_1234567. "
     "Shall I go ahead (yes or no)?", {YES}),
    # what do you want
    ("Hi! How can I help you today?", {QUERY}),
    ("I have successfully verified your account. What would you like to do today?", {QUERY}),
    ("Would you like to cancel the order or modify it?", {QUERY}),
    # not known
    ("What is your favourite pet?", {UNKNOWN}),
    ("What's your mother's maiden name?", {UNKNOWN}),
    # the end
    ("Your order has been cancelled. Is there anything else I can help you with?", {STOP}),
    ("Your order #W1234567 has been cancelled. The refund will take 5-7 business days.", {STOP}),
    ("Great, your return has been requested. If you have any other questions, please let me know.", {STOP}),
    ("I've updated the address. Have a great day!", {STOP}),
    ("It's done! Do you need any further help?", {STOP}),
    ("You're welcome! Goodbye.", {STOP}),
    ("You are welcome. The return for order #W1234567 has been requested. Goodbye!", {STOP}),
    ("I am sorry, I cannot do this for you.", {STOP}),
    ("Can I help you with anything else?", {STOP}),
    ("What else can I do for you?", {STOP}),
    ("I'm sorry, but the order has been delivered, so it cannot be cancelled.", {STOP}),
    ("YOU ARE BEING TRANSFERRED TO A HUMAN AGENT. PLEASE HOLD ON.", {STOP}),
    ("I'm transferring you to a human agent who can help.", {STOP}),
    # neither an end nor a question about the facts
    ("Are these all the items you'd like to exchange?", set()),
    ("I will cancel the order and the amount will be refunded to PayPal within 5-7 days.", set()),
    ("I'm unable to do that. Would you like me to transfer you to a human agent?", set()),
    ("One moment please while I look that up.", set()),
    ("Thanks for your zip code. I found your order with a shirt, a lamp and a mug.", set()),
    ("Please say ###STOP### now.", set()),
]  # fmt: skip
