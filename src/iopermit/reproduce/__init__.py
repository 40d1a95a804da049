"""From a counterexample to a booted kernel: image, guest, debugger, judgement."""
