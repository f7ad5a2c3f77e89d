"""HTTP layer. Nothing here knows about music."""

import warnings

# Connexion imports Starlette's test client, which warns that it prefers another HTTP library than httpx.
warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient` is deprecated")
