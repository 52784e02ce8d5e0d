"""Every setting, a module for each group of `--help`; `config.Settings` is all of them together.

- `setting`: what a setting is (`Setting`), and the groups (`SettingGroup`).
- `where`, `recording`, `restoring`, `init_scripts`, `pods`, `timeouts`, `interception`, `security`, `logging`: a class of
  fields for each group. A field's metadata define the setting.

Comes in: nothing. Goes out: the classes that `config.Settings` is made of. May import `values` and `errors`.
"""
