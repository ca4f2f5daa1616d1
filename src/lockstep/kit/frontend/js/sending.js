// A form that carries a message to another server is submitted automatically. Without script, its button does it.
document.querySelector("form[data-sends]")?.requestSubmit();
