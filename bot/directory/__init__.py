"""What help there is: the directory of services, how it is filled, and how it is searched.

``model`` says what a service is, ``records`` reads and cleans Open Referral UK, ``importer`` takes in feeds,
``national`` reads ``data/directory``, ``needs`` understands what a parent looks for, ``index`` searches, and
``library`` keeps the index up to date with the database.
"""
