"""Model calls: which model a name stands for, what it is asked, what that costs."""
