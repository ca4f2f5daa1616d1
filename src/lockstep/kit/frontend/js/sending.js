// A form that brings a message to another server is sent by itself. Without script, its button does it.
document.querySelector("form[data-sends]")?.requestSubmit();
