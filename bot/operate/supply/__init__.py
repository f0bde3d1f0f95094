"""What Earshot is made of besides itself: the locked packages, their licences, those that Rasa holds back."""
