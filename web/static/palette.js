// The command palette, on Ctrl-K: rooms, views, a ticket's number, the steps of the row under the cursor, theme, language.
// A combobox with a list, as the ARIA pattern has it. All words come from the server.
(function () {
  "use strict";

  document.addEventListener("DOMContentLoaded", function () {
    var dialog = document.getElementById("palette");
    if (!dialog) return;
    var input = dialog.querySelector("input"), list = dialog.querySelector("ul"), none = dialog.querySelector("[data-none]");
    var offers = [], tickets = [], shown = [], at = 0, MOST = 40, asking = 0;

    function open() {
      input.value = "";
      at = 0;
      tickets = [];
      draw();
      dialog.showModal();
      var ticket = window.desk.cursor ? window.desk.cursor() : dialog.dataset.ticket || "";
      fetch("/palette.json" + (ticket ? "?ticket=" + ticket : "")).then(function (answer) { return answer.json(); })
        .then(function (found) { offers = found; draw(); }).catch(function () {});
    }

    // Letters in their order, as people type them: "tk" finds "tickets".
    function fits(text, typed) {
      var place = 0;
      text = text.toLowerCase();
      return typed.split("").every(function (letter) { place = text.indexOf(letter, place) + 1; return place > 0; });
    }
    function matching() {
      var typed = input.value.trim().toLowerCase().replace(/\s+/g, "");
      if (!typed) return offers.slice(0, MOST);
      var found = offers.filter(function (offer) { return fits(offer.group + offer.label, typed); });
      found.sort(function (one, other) { return other.label.toLowerCase().includes(typed) - one.label.toLowerCase().includes(typed); });
      var asked = input.value.trim(), own = [];
      if (/^[A-Za-z]{2}-?\d{6}-?\d{3,}$|^\d{1,18}$/.test(asked)) own.push({ group: dialog.dataset.open, label: asked, href: "/t/" + encodeURIComponent(asked.toUpperCase()) });
      var search = { group: dialog.dataset.search, label: asked, href: "/?q=" + encodeURIComponent(asked) };
      // what arrives later stands below, so that nothing moves under the cursor
      return own.concat(found.slice(0, MOST - 12), tickets, search);
    }
    // Tickets by what is in them, once the typing rests; an answer to an older question is dropped.
    function look() {
      clearTimeout(asking);
      var asked = input.value.trim();
      tickets = [];
      if (asked.length < 2) return;
      asking = setTimeout(function () {
        fetch("/search.json?q=" + encodeURIComponent(asked)).then(function (answer) { return answer.json(); }).then(function (found) {
          if (input.value.trim() !== asked) return;
          tickets = found.tickets.map(function (one) {
            return { group: one.number, label: [one.workflow, one.state, one.buyer, one.left].filter(Boolean).join(" · "), href: one.address };
          });
          draw();
        }).catch(function () {});
      }, 150);
    }
    function draw() {
      shown = matching();
      at = Math.max(0, Math.min(at, shown.length - 1));
      list.replaceChildren.apply(list, shown.map(function (offer, place) {
        var item = document.createElement("li"), group = document.createElement("span");
        item.id = "palette-" + place;
        item.setAttribute("role", "option");
        item.setAttribute("aria-selected", place === at);
        group.className = "dim";
        group.textContent = offer.group;
        item.append(group, " ", offer.label);
        item.addEventListener("click", function () { take(offer); });
        return item;
      }));
      none.hidden = shown.length > 0;
      input.setAttribute("aria-activedescendant", shown.length ? "palette-" + at : "");
      if (list.children[at]) list.children[at].scrollIntoView({ block: "nearest" });
    }
    function take(offer) {
      if (!offer) return;
      if (offer.href) { location.href = offer.href; return; }
      var form = document.getElementById("palette-choose");
      form.elements.choice.name = offer.choose.name;
      form.elements[offer.choose.name].value = offer.choose.value;
      form.elements.back.value = location.pathname + location.search;
      form.submit();
    }
    input.addEventListener("input", function () { at = 0; look(); draw(); });
    input.addEventListener("keydown", function (event) {
      var moves = { ArrowDown: 1, ArrowUp: -1 };
      if (event.isComposing) return;
      if (event.key in moves) { event.preventDefault(); at = (at + moves[event.key] + shown.length) % (shown.length || 1); draw(); }
      else if (event.key === "Home" && !input.value) { at = 0; draw(); }
      else if (event.key === "Enter") { event.preventDefault(); take(shown[at]); }
    });
    document.addEventListener("keydown", function (event) {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
        event.preventDefault();
        if (dialog.open) dialog.close(); else if (!document.querySelector("dialog[open]")) open();
      }
    });
    dialog.addEventListener("click", function (event) { if (event.target === dialog) dialog.close(); });
  });
})();
