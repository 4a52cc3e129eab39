"""The shop: a retail world with sixteen tools, a policy, customers and tasks, after tau-bench retail.

    shop = Shop.load()
    env = RetailEnv(shop, task)
    print(env.reset())
    print(env.step(Action("get_order_details", {"order_id": "#W1234567"})).observation)

Standard library only, so that it can be read, tested and served anywhere.
"""
