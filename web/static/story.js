// Files of evidence and canned replies on the page of a ticket: all of it is comfort, the page works without.
(function () {
  "use strict";
  function each(root, what, does) { root.querySelectorAll(what).forEach(does); }
  function add(parent, tag, attributes) {
    var made = document.createElement(tag);
    Object.keys(attributes || {}).forEach(function (name) { made[name] = attributes[name]; });
    return parent.appendChild(made);
  }

  // ── files, looked at large: arrow keys go on, Escape closes ──
  function lightbox() {
    var light = document.getElementById("light"), all = Array.from(document.querySelectorAll("a[data-view]")), at = 0, opener = null;
    if (!light || !all.length) return;
    // the same file stands in the story and in the card: it is one
    var files = all.filter(function (one, place) { return all.findIndex(function (other) { return other.href === one.href; }) === place; });
    function show(place) {
      at = (place + files.length) % files.length;
      var one = files[at], stage = light.querySelector("[data-stage]"), sort = one.dataset.view;
      stage.textContent = "";
      if (sort === "picture") add(stage, "img", { src: one.href, alt: one.title });
      else if (sort === "video") add(stage, "video", { src: one.href, controls: true, autoplay: true, title: one.title });
      else add(stage, "a", { href: one.href, target: "_blank", rel: "noopener", textContent: one.dataset.name, className: "btn btn-go" });
      light.querySelector("[data-title]").textContent = one.dataset.name;
      light.querySelector("[data-place]").textContent = (at + 1) + " / " + files.length;
      light.querySelector("[data-save]").href = one.href + "?save=true";
      each(light, "[data-step]", function (button) { button.hidden = files.length < 2; });
    }
    document.addEventListener("click", function (e) {
      var link = e.target.closest("a[data-view]");
      if (!link || e.ctrlKey || e.metaKey || e.shiftKey || e.button) return;
      e.preventDefault();
      opener = link;
      light.showModal();
      show(files.findIndex(function (one) { return one.href === link.href; }));
    });
    light.addEventListener("keydown", function (e) {
      if (e.target.tagName === "VIDEO") return;
      if (e.key === "ArrowRight") { e.preventDefault(); show(at + 1); }
      if (e.key === "ArrowLeft") { e.preventDefault(); show(at - 1); }
    });
    light.addEventListener("click", function (e) {
      var button = e.target.closest("[data-step]");
      if (button) show(at + Number(button.dataset.step));
      if (e.target === light) light.close();
    });
    light.addEventListener("close", function () { light.querySelector("[data-stage]").textContent = ""; if (opener) opener.focus(); });
  }

  // ── files, sent: with progress, from a chooser, by drag and drop, by paste ──
  function send(address, data, words, said, progress, done) {
    var asked = new XMLHttpRequest();
    said.textContent = words.wait;
    asked.open("POST", address);
    asked.setRequestHeader("Accept", "application/json");
    if (progress) {
      progress.hidden = false; progress.value = 0;
      asked.upload.addEventListener("progress", function (e) { if (e.lengthComputable) progress.value = 100 * e.loaded / e.total; });
    }
    function over(answer) {
      if (progress) progress.hidden = true;
      said.textContent = "";
      if (answer.added) add(said, "p", { className: "ok", textContent: words.taken.replace("#", answer.added) });
      answer.problems.forEach(function (one) { add(said, "p", { className: "late", textContent: one }); });
      done(answer);
    }
    asked.addEventListener("error", function () { over({ added: 0, problems: [words.failed] }); });
    asked.addEventListener("load", function () {
      try { over(JSON.parse(asked.responseText)); }
      catch (broken) {
        var told = new DOMParser().parseFromString(asked.responseText, "text/html").querySelector("main p");
        over({ added: 0, problems: [told ? told.textContent : words.failed] });
      }
    });
    asked.send(data);
  }
  function uploads() {
    var forms = Array.from(document.querySelectorAll("form[data-upload]"));
    forms.forEach(function (form) {
      var input = form.querySelector("input[type=file]"), said = form.querySelector(".said"), progress = form.querySelector("progress"), zone = form.querySelector(".drop");
      form.sendFiles = function (files) {
        if (!files.length || form.dataset.busy) return;
        form.dataset.busy = "yes";
        var data = new FormData(form);
        data.delete("_file");
        Array.from(files).forEach(function (file) { data.append("_file", file, file.name); });
        send(form.action, data, form.dataset, said, progress, function (answer) {
          delete form.dataset.busy;
          form.reset();
          if (answer.added && !answer.problems.length) { sessionStorage.setItem("story-at", String(scrollY)); location.reload(); }
        });
      };
      form.addEventListener("submit", function (e) { if (input.files.length) { e.preventDefault(); form.sendFiles(input.files); } });
      zone.addEventListener("dragover", function (e) { e.preventDefault(); zone.classList.add("over"); });
      zone.addEventListener("dragleave", function () { zone.classList.remove("over"); });
      zone.addEventListener("drop", function (e) { e.preventDefault(); zone.classList.remove("over"); form.sendFiles(e.dataTransfer.files); });
    });
    document.addEventListener("paste", function (e) {
      var files = e.clipboardData && e.clipboardData.files;
      if (!files || !files.length || !forms.length || /^(INPUT|TEXTAREA)$/.test(e.target.tagName) && e.clipboardData.getData("text")) return;
      e.preventDefault();
      var box = forms[0].closest("details");
      if (box) box.open = true;
      forms[0].sendFiles(files);
    });
    each(document, "[data-add-evidence]", function (link) {
      link.addEventListener("click", function (e) {
        var box = document.querySelector("[data-upload-box]");
        if (!box || e.ctrlKey || e.metaKey) return;
        e.preventDefault();
        box.open = true;
        box.querySelector("input[type=file]").focus();
      });
    });
    // in the form of a step: sent as soon as it is chosen, so that nothing else of the form is lost
    each(document, "[data-wants]", function (list) {
      each(list, "input[type=file]", function (input) {
        function go(e) {
          if (!input.files.length) return;
          if (e) e.preventDefault();
          var row = input.closest("li"), place = input.name.split(":")[1], data = new FormData();
          data.append("_kind:" + place, document.getElementsByName("_kind:" + place)[0].value);
          Array.from(input.files).forEach(function (file) { data.append(input.name, file, file.name); });
          input.value = "";
          send(list.dataset.wants, data, list.dataset, row.querySelector(".said"), null, function (answer) {
            if (!answer.added) return;
            row.className = "yes";
            document.getElementById("do").dispatchEvent(new Event("change", { bubbles: true }));
          });
        }
        input.addEventListener("change", function () { go(null); });
        row(input).addEventListener("click", function (e) { if (input.files.length) go(e); else { e.preventDefault(); input.click(); } });
      });
    });
    function row(input) { return input.parentNode.querySelector("button"); }
    var was = sessionStorage.getItem("story-at");
    if (was) { sessionStorage.removeItem("story-at"); scrollTo(0, Number(was)); }
  }

  // ── replies: put where the cursor was; :: in a field asks which ──
  function replies() {
    var card = document.getElementById("replies"), last = null;
    if (!card) return;
    var said = card.querySelector("[data-insert-said]"), buttons = Array.from(card.querySelectorAll("[data-insert]"));
    document.addEventListener("focusin", function (e) { if (e.target.matches("form#do textarea")) last = e.target; });
    function put(button, field, end) {
      var text = document.getElementById(button.dataset.insert).textContent;
      fetch(button.dataset.used, { method: "POST" }).catch(function () { /* the count is not worth a message */ });
      field = field || (last && last.isConnected ? last : document.querySelector("form#do textarea[data-replies]"));
      if (!field) {
        if (navigator.clipboard) navigator.clipboard.writeText(text).then(function () { said.textContent = button.dataset.copied; button.textContent = button.dataset.copied; });
        return;
      }
      // after :: it takes their place
      if (end === undefined) field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
      else field.setRangeText(text, Math.max(0, end - 2), end, "end");
      field.focus();
      field.dispatchEvent(new Event("input", { bubbles: true }));
      said.textContent = button.dataset.title;
    }
    buttons.forEach(function (button) {
      // the field keeps its cursor while the button is pressed
      button.addEventListener("mousedown", function (e) { e.preventDefault(); });
      button.addEventListener("click", function () { put(button); });
    });

    var pick = document.getElementById("pick"), search = pick && pick.querySelector("input"), list = pick && pick.querySelector("ul"), field = null, spot = 0, chosen = 0;
    if (!pick || !buttons.length) return;
    function shown() { return Array.from(list.children); }
    function mark(place) {
      var rows = shown();
      chosen = rows.length ? (place + rows.length) % rows.length : 0;
      rows.forEach(function (one, at) { one.setAttribute("aria-selected", at === chosen ? "true" : "false"); });
      if (rows[chosen]) rows[chosen].scrollIntoView({ block: "nearest" });
    }
    function fill() {
      list.textContent = "";
      buttons.filter(function (one) { return (one.dataset.title + document.getElementById(one.dataset.insert).textContent).indexOf(search.value.trim()) >= 0; }).forEach(function (one) {
        var row = add(list, "li", { textContent: one.dataset.title });
        row.setAttribute("role", "option");
        row.addEventListener("click", function () { take(one); });
        row.reply = one;
      });
      mark(0);
    }
    function take(button) {
      pick.close();
      put(button, field, spot);
    }
    document.addEventListener("input", function (e) {
      if (!e.target.matches || !e.target.matches("form#do textarea") || e.inputType !== "insertText" && e.inputType !== undefined) return;
      var at = e.target.selectionStart;
      if (!/(::|：：)$/.test(e.target.value.slice(Math.max(0, at - 2), at))) return;
      field = e.target;
      spot = at;
      search.value = "";
      fill();
      pick.showModal();
    });
    search.addEventListener("input", fill);
    pick.addEventListener("keydown", function (e) {
      if (e.key === "ArrowDown") { e.preventDefault(); mark(chosen + 1); }
      if (e.key === "ArrowUp") { e.preventDefault(); mark(chosen - 1); }
      if (e.key === "Enter") { e.preventDefault(); var row = shown()[chosen]; if (row) take(row.reply); }
    });
    pick.addEventListener("close", function () { if (field) field.focus(); });
  }

  // ── an ear on what is written to the buyer ──
  function listening() {
    var card = document.getElementById("replies"), form = document.getElementById("do");
    if (!card || !form) return;
    var name = JSON.parse(card.dataset.reads)[form.dataset.step], fields = [];
    if (name) fields.push(form.querySelector('textarea[name="' + name + '"]'));
    fields.push(form.querySelector('textarea[name="_summary"]'));
    fields.filter(Boolean).forEach(function (field) {
      var waiting, asked = 0, told = document.createElement("div");
      told.className = "heard xs mut";
      told.setAttribute("role", "status");
      field.insertAdjacentElement("afterend", told);
      field.addEventListener("input", function () {
        clearTimeout(waiting);
        waiting = setTimeout(function () {
          var mine = ++asked;
          if (!field.value.trim()) { told.textContent = ""; return; }
          fetch(card.dataset.check, { method: "POST", body: new URLSearchParams({ text: field.value }) }).then(function (answer) { return answer.ok ? answer.text() : ""; }).then(function (html) {
            if (mine !== asked) return;
            var found = new DOMParser().parseFromString(html, "text/html").body;
            told.textContent = "";
            if (found.children.length) told.append.apply(told, Array.from(found.children)); else told.textContent = card.dataset.clean;
          }).catch(function () { told.textContent = ""; });
        }, 400);
      });
    });
  }

  document.addEventListener("DOMContentLoaded", function () { lightbox(); uploads(); replies(); listening(); });
})();
