// Opening a ticket: what earlier tickets tell is filled in where nothing was typed, and the order is looked up without
// leaving the page. Without this, the button 查订单 sends the form.
(function () {
  "use strict";
  document.addEventListener("DOMContentLoaded", function () {
    var form = document.getElementById("open"), look = form.querySelector("[name=_look]");
    look.type = "button";
    look.addEventListener("click", function () { form.dispatchEvent(new Event("look")); });
    document.getElementById("refusal")?.focus();

    document.body.addEventListener("htmx:afterSettle", function () {
      var filled = false;
      document.querySelectorAll("#known data.fill").forEach(function (told) {
        var field = document.getElementById(told.dataset.for);
        var over = "over" in told.dataset && field && field.value === told.dataset.over;
        if (field && (!field.value || over) && field.value !== told.value && field.type !== "checkbox") {
          field.value = told.value;
          filled = filled || field.value !== "";
          if (told.dataset.for === "f-policy") document.getElementById("f-platform").value = told.value;
        }
        told.remove();
      });
      if (filled) form.dispatchEvent(new Event("look"));
    });
  });
})();
