"use strict";

// Relative to the page, so that it works behind any prefix. No validator: nothing leaves this origin.
SwaggerUIBundle({
  url: new URL("openapi.json", document.location.href).href,
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
