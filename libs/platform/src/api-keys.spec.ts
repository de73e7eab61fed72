import { hash } from 'node:crypto';
import { createKeyring, devApiKey, SCOPES } from './api-keys.js';

const key = (secret: string, tenant_id: string) => ({
  sha256: hash('sha256', secret),
  tenant_id,
  scopes: ['read' as const],
});

it('finds whose key was presented, and nobody for any other', () => {
  const find = createKeyring([key('one', 'acme'), key('two', 'globex')]);
  expect(find('one')?.tenant_id).toBe('acme');
  expect(find('two')?.tenant_id).toBe('globex');
  for (const wrong of ['', 'on', 'one ', 'ONE', hash('sha256', 'one')]) {
    expect(find(wrong)).toBeUndefined();
  }
  expect(createKeyring([])('one')).toBeUndefined();
});

it('lets the development key do everything for one tenant', () => {
  const find = createKeyring([devApiKey('dev-key')]);
  expect(find('dev-key')).toMatchObject({ tenant_id: 'dev', scopes: SCOPES });
});
