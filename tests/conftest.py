"""The chain takes minutes: its tests go first, so that nothing waits for them at the end."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("chain") is None)
