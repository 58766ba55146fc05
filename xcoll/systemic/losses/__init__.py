"""Who bears what is lost: funds, those who won, and whoever is owed."""
