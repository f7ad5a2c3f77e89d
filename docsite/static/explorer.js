const CONTRACT = document.querySelector("#reference").dataset.contract;

// Scalar sends every optional parameter that has an example. Here it is offered and switched off, so that the first
// request is the plain one.
function switchOff(parameter) {
  if (parameter.required || parameter.example === undefined) return;
  parameter.examples = { example: { value: parameter.example, "x-disabled": true } };
  delete parameter.example;
}

async function start() {
  const contract = await (await fetch(CONTRACT)).json();
  Object.values(contract.components.parameters).forEach(switchOff);

  // Nothing is asked of any other host: no fonts, telemetry, assistants or clients of the vendor's.
  Scalar.createApiReference("#reference", {
    content: contract,
    documentDownloadType: "none",
    withDefaultFonts: false,
    telemetry: false,
    hideClientButton: true,
    showDeveloperTools: "never",
    agent: { disabled: true },
    mcp: { disabled: true },
    // Only the samples that come with the contract are shown, because those are run before they are published.
    hiddenClients: true,
    authentication: { preferredSecurityScheme: "ApiKeyAuth" },
  });
}

start();
