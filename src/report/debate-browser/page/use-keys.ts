import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

type Actions = { readonly step: (by: number) => void; readonly leave: () => void };

/**
 * The page's keys: up and down go through the list, `/` goes to the search, Esc leaves what was last entered. A key keeps its own
 * meaning where it has one: in a list of choices, and for scrolling in a debate.
 */
export function useKeys(searchBox: RefObject<HTMLInputElement>, actions: Actions): void {
  const current = useRef(actions);
  current.current = actions;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const within = event.target instanceof Element ? event.target : document.body;
      const typing = within === searchBox.current;
      if (event.key === 'Escape') {
        if (typing) searchBox.current?.blur();
        current.current.leave();
      } else if (event.key === '/' && !typing) {
        event.preventDefault();
        searchBox.current?.focus();
      } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
        if (within.closest('select, .debate') !== null) return;
        event.preventDefault();
        current.current.step(event.key === 'ArrowDown' ? 1 : -1);
      }
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, [searchBox]);
}
