"""Between socket and handler: everything that would be the same for an API about cars."""

import warnings

# Connexion imports Starlette's test client, which has begun to ask for another HTTP library; that is not our call.
warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient` is deprecated")
