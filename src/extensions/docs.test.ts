import { join } from 'node:path';
import { expect, it } from 'vitest';
import { extensionsPage } from './docs.ts';

const PAGE = join(import.meta.dirname, '..', '..', 'docs', 'extensions.md');

it('docs/extensions.md is up to date (run this test with -u to write it)', async () => {
  await expect(extensionsPage()).toMatchFileSnapshot(PAGE);
});
